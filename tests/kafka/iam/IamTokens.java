import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/** For OAUTHBEARER's broker: the tokens that Amazon's keys make, which are signed URLs. */
public class IamTokens implements AuthenticateCallbackHandler {
    @Override
    public void configure(Map<String, ?> configs, String mechanism,
            List<AppConfigurationEntry> entries) { }

    @Override public void close() { }

    @Override
    public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback)
                check((OAuthBearerValidatorCallback) callback);
            else if (!(callback instanceof OAuthBearerExtensionsValidatorCallback))
                throw new UnsupportedCallbackException(callback);
        }
    }

    private static void check(OAuthBearerValidatorCallback callback) {
        try {
            callback.token(read(callback.tokenValue()));
        } catch (Exception e) {
            callback.error("invalid_token", null, null);
        }
    }

    private static OAuthBearerToken read(String value) throws Exception {
        URI url = new URI(new String(Base64.getUrlDecoder().decode(value)));
        Map<String, String> query = new TreeMap<>();
        for (String pair : url.getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            query.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        query.remove("User-Agent"); // comes after the signature
        String user = Signature.check(query, url.getHost());
        Instant from = Signature.at(query.get("X-Amz-Date"));
        Instant until = from.plusSeconds(Long.parseLong(query.get("X-Amz-Expires")));
        return new OAuthBearerToken() {
            @Override public String value() { return value; }
            @Override public Set<String> scope() { return Set.of(); }
            @Override public long lifetimeMs() { return until.toEpochMilli(); }
            @Override public String principalName() { return user; }
            @Override public Long startTimeMs() { return from.toEpochMilli(); }
        };
    }
}
