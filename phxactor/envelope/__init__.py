"""What nodes say to one another, as bytes: messages, their sealed frames over Redis, and the names of Redis channels.

docs/envelope.md describes the bytes for programs in other languages. All of it is pure, and none of it needs trio: an
emitter, which has no runtime, uses it as nodes do. Whatever is wrong with what came from outside is an `EnvelopeError`.
"""

from phxactor.envelope._channels import channel_of_all, channel_of_lane, channel_of_node, check_prefix
from phxactor.envelope._error import EnvelopeError, Fault
from phxactor.envelope._json_form import from_json
from phxactor.envelope._message import (
    DEFAULT_SCOPE,
    MAX_MESSAGE_BYTES,
    VERSION,
    Kind,
    Message,
    decode,
    encode,
    lane_of,
)
from phxactor.envelope._seal import MIN_SECRET, NOBODY, OVERHEAD, Frame, Seal

__all__ = [
    "DEFAULT_SCOPE",
    "MAX_MESSAGE_BYTES",
    "MIN_SECRET",
    "NOBODY",
    "OVERHEAD",
    "VERSION",
    "EnvelopeError",
    "Fault",
    "Frame",
    "Kind",
    "Message",
    "Seal",
    "channel_of_all",
    "channel_of_lane",
    "channel_of_node",
    "check_prefix",
    "decode",
    "encode",
    "from_json",
    "lane_of",
]
