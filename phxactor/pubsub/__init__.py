"""PubSub: from topics to processes, on one runtime."""

from phxactor.pubsub.pubsub import Dispatcher, PubSub, PubSubStatistics, Subscriber

__all__ = ["Dispatcher", "PubSub", "PubSubStatistics", "Subscriber"]
