import com.fasterxml.jackson.databind.ObjectMapper;
import java.security.Provider;
import java.security.Security;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import javax.security.auth.Subject;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.spi.LoginModule;
import javax.security.sasl.SaslServer;
import javax.security.sasl.SaslServerFactory;
import org.apache.kafka.common.errors.SaslAuthenticationException;

/**
 * The broker's half of AWS_MSK_IAM, which Kafka itself does not have. The options of this login
 * module are access keys: ID="SECRET".
 */
public class IamLoginModule implements LoginModule {
    static {
        Security.addProvider(new Iam());
    }

    @Override
    public void initialize(Subject subject, CallbackHandler handler, Map<String, ?> shared,
            Map<String, ?> options) {
        options.forEach((id, secret) -> Signature.SECRETS.put(id, (String) secret));
    }

    @Override public boolean login() { return true; }
    @Override public boolean commit() { return true; }
    @Override public boolean abort() { return false; }
    @Override public boolean logout() { return true; }

    static class Iam extends Provider {
        Iam() {
            super("Iam", "1.0", "AWS_MSK_IAM for brokers");
            put("SaslServerFactory.AWS_MSK_IAM", Factory.class.getName());
        }
    }

    public static class Factory implements SaslServerFactory {
        @Override
        public SaslServer createSaslServer(String mechanism, String protocol, String server,
                Map<String, ?> properties, CallbackHandler handler) {
            return new Server();
        }

        @Override
        public String[] getMechanismNames(Map<String, ?> properties) {
            return new String[] {"AWS_MSK_IAM"};
        }
    }

    /** One message, which is a signed request in JSON, and an answer with an id for the logs. */
    static class Server implements SaslServer {
        private String user;

        @Override
        public byte[] evaluateResponse(byte[] response) {
            String id = UUID.randomUUID().toString();
            try {
                Map<?, ?> message = new ObjectMapper().readValue(response, Map.class);
                Map<String, String> query = new TreeMap<>();
                for (String name : new String[] {"Algorithm", "Credential", "Date", "Expires",
                        "Security-Token", "SignedHeaders", "Signature"}) {
                    Object value = message.get("x-amz-" + name.toLowerCase());
                    if (value != null)
                        query.put("X-Amz-" + name, (String) value);
                }
                query.put("Action", (String) message.get("action"));
                user = Signature.check(query, (String) message.get("host"));
            } catch (Exception e) {
                throw new SaslAuthenticationException(
                    "[" + id + "]: Access denied: " + e.getMessage());
            }
            return ("{\"version\":\"2020_10_22\",\"request-id\":\"" + id + "\"}").getBytes();
        }

        @Override public boolean isComplete() { return user != null; }
        @Override public String getAuthorizationID() { return user; }
        @Override public String getMechanismName() { return "AWS_MSK_IAM"; }
        @Override public Object getNegotiatedProperty(String name) { return null; }
        @Override public void dispose() { }

        @Override
        public byte[] wrap(byte[] data, int offset, int length) {
            throw new IllegalStateException("AWS_MSK_IAM wraps nothing");
        }

        @Override
        public byte[] unwrap(byte[] data, int offset, int length) {
            throw new IllegalStateException("AWS_MSK_IAM wraps nothing");
        }
    }
}
