"""A video's score from the scores of its pairs, and its reason where it has none."""

import json

import pandas as pd


def score_videos(
    index: pd.DataFrame,
    extracted: pd.DataFrame,
    faces: pd.DataFrame,
    frame_scores: pd.DataFrame,
    pair_scores: pd.DataFrame,
) -> pd.DataFrame:
    """Join everything known of each indexed video into one row of the ``SCORES`` table.

    ``frame_scores`` and ``pair_scores``: the ``FRAME_SCORES`` and ``PAIR_SCORES`` tables. A video's anomaly score is the
    mean over its pairs (section 4.1), its baselines the means over its faces; a video without pairs has neither, and a
    ``reject_reason``: the one extraction gave, ``no_face``, or ``too_few_faces`` (too few, or none lying apart in time).
    """
    by_pair = pair_scores.groupby("video_id")["anomaly_score"].agg(anomaly_score="mean", n_pairs="size")
    by_frame = frame_scores.groupby("video_id").agg(
        single_frame_score=("single_frame_score", "mean"),
        classifier_logit=("classifier_logit", "mean"),
        n_faces=("classifier_logit", "size"),
    )
    rejected = faces.dropna(subset=["reject_reason"])
    rejects = {
        video_id: rows.value_counts().sort_index().to_dict()
        for video_id, rows in rejected.groupby("video_id")["reject_reason"]
    }
    videos = index.merge(
        extracted[["video_id", "n_frames", "note", "reject_reason"]], on="video_id", validate="one_to_one"
    )
    videos = videos.join(by_frame, on="video_id").join(by_pair, on="video_id")
    videos[["n_faces", "n_pairs"]] = videos[["n_faces", "n_pairs"]].fillna(0).astype("int32")
    videos["frame_rejects"] = [json.dumps(rejects.get(video_id, {})) for video_id in videos["video_id"]]
    unscored = videos["n_pairs"] == 0
    # Baselines are compared with the anomaly score on the same videos.
    videos.loc[unscored, ["single_frame_score", "classifier_logit"]] = None
    reason = videos["reject_reason"].where(videos["reject_reason"].notna(), None)
    missing = unscored & reason.isna()
    reason = reason.mask(missing & (videos["n_faces"] == 0), "no_face").mask(
        missing & (videos["n_faces"] > 0), "too_few_faces"
    )
    return videos.assign(reject_reason=reason).sort_values("video_id", ignore_index=True)
