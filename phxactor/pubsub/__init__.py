"""PubSub: messages to all subscribers of a topic, within one runtime."""

from phxactor.pubsub.pubsub import PubSub
from phxactor.pubsub.subscriber import Dispatcher, Subscriber
from phxactor.pubsub.tables import PubSubStatistics

__all__ = ["Dispatcher", "PubSub", "PubSubStatistics", "Subscriber"]
