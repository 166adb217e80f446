"""
The bus whose log is Kafka. aiokafka is imported here and nowhere else, so this package is imported only where the
setting asks for Kafka (``pip install botswain[kafka]``).
"""

from bus.kafka.bus import KafkaBus, KafkaOptions, open_kafka_bus

__all__ = ["KafkaBus", "KafkaOptions", "open_kafka_bus"]
