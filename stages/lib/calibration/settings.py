"""The section ``calibration`` of params.yaml."""

from pydantic import Field

from stages.lib.settings import Rate, Settings


class CalibrationSettings(Settings):
    false_alarm_rate: Rate = Field(
        description="the share of real videos that may be called anomalous: what `detect` decides by unless told "
        "otherwise"
    )
