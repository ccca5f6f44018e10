"""The words for people of each reject reason of :mod:`stages.lib.reasons`."""

from stages.lib.reasons import FrameReject, VideoReject

# Counts in braces are filled in.
VIDEO_REJECTS: dict[VideoReject, str] = {
    VideoReject.MISSING_FILE: "there is no such file",
    VideoReject.EMPTY_FILE: "the file is empty",
    VideoReject.UNREADABLE: "not a video that can be opened: another kind of file, or damaged",
    VideoReject.NO_FRAMES: "it opens as a video, but no frame can be decoded: it is damaged, or the codec isn't known "
    "here",
    VideoReject.SINGLE_IMAGE: "a single image; the method compares the frames of a video with each other",
    VideoReject.TOO_LONG: "longer than allowed",
    VideoReject.NO_FACE: "no face was found in any of the frames looked at",
    VideoReject.TOO_FEW_FACES: "too little face to judge: a face was found in {n_faces} of {n_frames} frames "
    "looked at, and {min_faces} are needed",
    VideoReject.UNCALIBRATED: "the model was calibrated on too few real videos to say what its scores mean: it takes "
    "two of the validation split, three where `scoring` is two-sided or combines; add some and run `dvc repro "
    "calibrate`",
    VideoReject.CRASHED: "the process that worked on it died several times, as of a damaged file that crashes the "
    "decoder, or of too little memory",
}
FRAME_REJECTS: dict[FrameReject, str] = {
    FrameReject.NO_FACE: "no face found",
    FrameReject.OTHER_PERSON: "only other people's faces found",
    FrameReject.NOT_A_FACE: "what was found is no face: it jumps away for a frame, or landmarks don't fit it",
    FrameReject.UNREADABLE: "a picture that can't be opened: another kind of file, or damaged",
    FrameReject.CRASHED: "the process that worked on the video died several times",
}
