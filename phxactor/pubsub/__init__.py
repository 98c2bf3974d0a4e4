"""PubSub: messages to all subscribers of a topic, on this node and on the others of a cluster. See README.md here."""

from phxactor.pubsub import _data as _data  # plain messages cross from now on
from phxactor.pubsub._crossing import Crossing, crossing
from phxactor.pubsub._pubsub import PubSub
from phxactor.pubsub._subscriber import Dispatcher, Subscriber
from phxactor.pubsub._tables import PubSubStatistics

__all__ = [
    "Crossing",
    "Dispatcher",
    "PubSub",
    "PubSubStatistics",
    "Subscriber",
    "crossing",
]
