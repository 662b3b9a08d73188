// SPDX-License-Identifier: BSD-2-Clause
// Amazon's library for Java, with the credentials of the environment.
//
//   AwsIam sign HOST              its message to a broker, and its token, a line each
//   AwsIam talk PROPERTIES TOPIC  lists topics, sends two records and reads them
import java.io.FileReader;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import javax.security.auth.callback.Callback;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import software.amazon.msk.auth.iam.IAMClientCallbackHandler;
import software.amazon.msk.auth.iam.IAMLoginModule;
import software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler;

public class AwsIam {
	// It signs for 899 seconds when one begins meanwhile: then once more.
	static void sign(String host) throws Exception {
		String message, token, url;
		do {
			message = message(host);
			token = token();
			url = new String(Base64.getUrlDecoder().decode(token));
		} while (!message.contains("\"900\"") || !url.contains("X-Amz-Expires=900&"));
		System.out.println(message);
		System.out.println(token);
	}

	static String message(String host) throws Exception {
		new IAMLoginModule();
		IAMClientCallbackHandler handler = new IAMClientCallbackHandler();
		handler.configure(Map.of(), "AWS_MSK_IAM", List.of());
		SaslClient client = Sasl.createSaslClient(new String[] {"AWS_MSK_IAM"}, null,
				"kafka", host, Map.of(), handler);
		return new String(client.evaluateChallenge(new byte[0]));
	}

	static String token() throws Exception {
		IAMOAuthBearerLoginCallbackHandler login = new IAMOAuthBearerLoginCallbackHandler();
		login.configure(Map.of(), "OAUTHBEARER", List.of());
		OAuthBearerTokenCallback callback = new OAuthBearerTokenCallback();
		login.handle(new Callback[] {callback});
		return callback.token().value();
	}

	static void talk(String file, String topic) throws Exception {
		Properties conf = new Properties();
		conf.load(new FileReader(file));
		conf.put("key.serializer", StringSerializer.class.getName());
		conf.put("value.serializer", StringSerializer.class.getName());
		conf.put("key.deserializer", StringDeserializer.class.getName());
		conf.put("value.deserializer", StringDeserializer.class.getName());
		try (Admin admin = Admin.create(conf)) {
			System.out.println(admin.listTopics().names().get());
		}
		try (KafkaProducer<String, String> producer = new KafkaProducer<>(conf)) {
			producer.send(new ProducerRecord<>(topic, "one")).get();
			producer.send(new ProducerRecord<>(topic, "two")).get();
		}
		try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(conf)) {
			TopicPartition place = new TopicPartition(topic, 0);
			consumer.assign(List.of(place));
			consumer.seekToBeginning(List.of(place));
			for (int left = 2; left > 0;)
				for (var record : consumer.poll(Duration.ofSeconds(10))) {
					System.out.println(record.value());
					left--;
				}
		}
	}

	public static void main(String[] args) throws Exception {
		if (args[0].equals("sign"))
			sign(args[1]);
		else
			talk(args[1], args[2]);
	}
}
