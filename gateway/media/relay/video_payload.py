"""Where a keyframe begins: the only thing that is read of a video payload."""

from __future__ import annotations

# RFC 6184 section 5.2 and ISO/IEC 14496-10 table 7-1.
_NAL_TYPE = 0x1F
_IDR_SLICE, _SEQUENCE_PARAMETERS = 5, 7
_STAP_A, _FU_A = 24, 28
_FU_START = 0x80

# RFC 7741 section 4.2.
_VP8_EXTENDED, _VP8_START, _VP8_PARTITION = 0x80, 0x10, 0x07
_VP8_INTER_FRAME = 0x01

# RFC 9628 section 4.2.
_VP9_PICTURE_ID, _VP9_INTER_FRAME, _VP9_LAYERS = 0x80, 0x40, 0x20
_VP9_FLEXIBLE, _VP9_START = 0x10, 0x08


def starts_keyframe(name: str, payload: bytes) -> bool:
    """Whether a decoder can begin with this packet.

    Args:
        name: encoding name; of unknown ones every packet will do.
        payload: the first bytes of it, some forty are enough.
    """
    if not payload:
        return False
    if name == "VP8":
        return _starts_vp8(payload)
    if name == "VP9":
        return _starts_vp9(payload)
    if name == "H264":
        return _starts_h264(payload)
    return True


def _starts_vp8(payload: bytes) -> bool:
    first = payload[0]
    if not first & _VP8_START or first & _VP8_PARTITION:
        return False
    at = 1
    if first & _VP8_EXTENDED:
        if len(payload) < 3:
            return False
        extension = payload[1]
        at = 2
        if extension & 0x80:
            at += 2 if payload[2] & 0x80 else 1
        at += bool(extension & 0x40)
        at += bool(extension & 0x30)
    return at < len(payload) and not payload[at] & _VP8_INTER_FRAME


def _starts_vp9(payload: bytes) -> bool:
    first = payload[0]
    if first & _VP9_INTER_FRAME or not first & _VP9_START:
        return False
    if not first & _VP9_LAYERS:
        return True
    at = 1
    if first & _VP9_PICTURE_ID:
        if len(payload) < 2:
            return False
        at += 2 if payload[1] & 0x80 else 1
    # The lowest spatial layer, SID 0.
    return at < len(payload) and not payload[at] & 0x0E


def _starts_h264(payload: bytes) -> bool:
    kind = payload[0] & _NAL_TYPE
    if kind == _FU_A:
        return (
            len(payload) > 1
            and bool(payload[1] & _FU_START)
            and payload[1] & _NAL_TYPE in (_IDR_SLICE, _SEQUENCE_PARAMETERS)
        )
    if kind == _STAP_A:
        # Parameter sets come first; the unit after the size is enough to see.
        return len(payload) > 3 and payload[3] & _NAL_TYPE in (
            _IDR_SLICE,
            _SEQUENCE_PARAMETERS,
        )
    return kind in (_IDR_SLICE, _SEQUENCE_PARAMETERS)
