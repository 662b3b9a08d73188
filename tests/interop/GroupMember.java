/* SPDX-License-Identifier: BSD-2-Clause */
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;

import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** As member.py: GroupMember AT GROUP TOPIC [KEY=VALUE...]. */
public class GroupMember {
	static final TreeSet<Integer> own = new TreeSet<>();

	static synchronized void say(String text) {
		System.out.println(text);
		System.out.flush();
	}

	static void has() {
		StringBuilder text = new StringBuilder("has");
		for (int partition : own)
			text.append(' ').append(partition);
		say(text.toString());
	}

	static class Listener implements ConsumerRebalanceListener {
		@Override
		public void onPartitionsAssigned(Collection<TopicPartition> parts) {
			for (TopicPartition part : parts)
				own.add(part.partition());
			has();
		}

		@Override
		public void onPartitionsRevoked(Collection<TopicPartition> parts) {
			for (TopicPartition part : parts)
				own.remove(part.partition());
			has();
		}

		@Override
		public void onPartitionsLost(Collection<TopicPartition> parts) {
			say("lost");
			onPartitionsRevoked(parts);
		}
	}

	/** Kafka 3.9 has no SubscriptionPattern, so that is named as text. */
	static void subscribe(KafkaConsumer<byte[], byte[]> consumer, String topic)
		throws Exception {
		if (!topic.startsWith("/")) {
			consumer.subscribe(List.of(topic), new Listener());
			return;
		}
		Class<?> type = Class.forName(
			"org.apache.kafka.clients.consumer.SubscriptionPattern");
		consumer.getClass()
			.getMethod("subscribe", type, ConsumerRebalanceListener.class)
			.invoke(consumer, type.getConstructor(String.class)
						  .newInstance(topic.substring(1)),
				new Listener());
	}

	public static void main(String[] args) throws Exception {
		Properties conf = new Properties();
		conf.put("bootstrap.servers", args[0]);
		conf.put("group.id", args[1]);
		conf.put("auto.offset.reset", "earliest");
		for (int i = 3; i < args.length; i++) {
			String[] pair = args[i].split("=", 2);
			conf.put(pair[0], pair[1]);
		}
		KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
			conf, new ByteArrayDeserializer(), new ByteArrayDeserializer());
		Thread main = Thread.currentThread();
		Runtime.getRuntime().addShutdownHook(new Thread(() -> {
			consumer.wakeup();
			try {
				main.join(10000);
			} catch (InterruptedException e) {
				return;
			}
		}));
		subscribe(consumer, args[2]);
		try {
			while (true)
				for (ConsumerRecord<byte[], byte[]> row :
				     consumer.poll(Duration.ofMillis(200)))
					say("read " + row.partition() + " " + row.offset());
		} catch (WakeupException e) {
			consumer.close();
		}
	}
}
