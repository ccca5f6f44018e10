"""Which family of fakes a known method belongs to, by what it does to the face.

``swap``: another person's face is put in. ``lips``: the mouth alone is changed, to fit speech (also NeuralTextures,
which edits the mouth's region only in FaceForensics++). ``animated``: a photo or a face is moved by another motion, or
by sound. The public datasets' methods are sorted as their authors do: FaceForensics++ (Rössler et al. 2019), ForgeryNet
(He et al. 2021; what was swapped and then edited counts as swapped), DF40 (Yan et al. 2024; but Wav2Lip, a reenactment
there, is of the lips), Celeb-DF++ (Li et al. 2025; but IP_LAP, a talking face there, is of the lips). A method that
makes or edits a picture in another way has no entry.
"""

_METHODS = {
    "swap": """
        Deepfakes FaceSwap FaceShifter DeepFaceLab DeepFaceLive SimSwap InSwap InSwapper MobileSwap UniFace BlendFace
        FSGAN FaceDancer e4s HifiFace InfoSwap MegaFS MMReplacement DiffSwap DiffFace Roop Rope FaceFusion DF-VAE
        DeepFakes-StarGAN-Stack StarGAN-BlendFace-Stack Celeb-synthesis DFDC FFIW DeepFakeDetection Celeb-DF Celeb-DF-v2
        GHOST MobileFaceSwap FaceSwap-Wav2Lip FSGAN-Wav2Lip swap
    """,
    "lips": """
        NeuralTextures Wav2Lip Wav2Lip-GAN LipGAN VideoReTalking MuseTalk LatentSync Diff2Lip TalkLip DINet IP-LAP
        StyleSync lips
    """,
    "animated": """
        Face2Face FOMM First-Order-Motion FaceVid2Vid FS_vid2vid OneShot one_shot_free MRAA TPSM TPSMM LIA DaGAN
        PIRender MCNet HyperReenact SadTalker HeyGen Talking-Head-Video ATVG-Net EDTalk AniTalker LivePortrait
        AniPortrait Hallo Hallo2 EchoMimic DreamTalk MakeItTalk Audio2Head StyleTalk X-Portrait EMOPortraits
        MegaPortraits FSRT FLOAT Real3DPortrait animated
    """,
}


def _normalised(method: str) -> str:
    return "".join(letter for letter in method.lower() if letter.isalnum())


_FAMILY_OF = {_normalised(method): family for family, methods in _METHODS.items() for method in methods.split()}


def family_of(method: str) -> str:
    """The family of a method, whatever its case and punctuation; ``other`` where it is not known."""
    return _FAMILY_OF.get(_normalised(method), "other")
