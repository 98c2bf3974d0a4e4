"""PubSub: messages to all subscribers of a topic, within one runtime."""

from phxactor.pubsub._pubsub import PubSub
from phxactor.pubsub._subscriber import Dispatcher, Subscriber
from phxactor.pubsub._tables import PubSubStatistics

__all__ = [
    "Dispatcher",
    "PubSub",
    "PubSubStatistics",
    "Subscriber",
]
