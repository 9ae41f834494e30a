// An API that verifies access tokens by itself: GET /orders needs the permission orders.read.

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.RateLimitReachedException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;

public final class Orders {
  private static final String ISSUER = System.getenv("ISSUER");
  private static final String AUDIENCE = System.getenv("AUDIENCE");
  private static final int PORT = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));

  private static DefaultJWTProcessor<SecurityContext> verifier() throws IOException {
    // Fetched when the first token comes, kept for a minute, and fetched again for a key that it does not hold.
    JWKSource<SecurityContext> keys =
        JWKSourceBuilder.create(URI.create(ISSUER + "/oauth2/jwks").toURL()).cache(60_000, 5_000).build();
    var claims =
        new DefaultJWTClaimsVerifier<SecurityContext>(
            AUDIENCE, new JWTClaimsSet.Builder().issuer(ISSUER).build(), Set.of("exp", "sub", "client_id"));
    claims.setMaxClockSkew(5);
    var processor = new DefaultJWTProcessor<SecurityContext>();
    // ID tokens are signed with the same keys and must not pass.
    processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
    processor.setJWSKeySelector(new JWSVerificationKeySelector<>(Set.of(JWSAlgorithm.ES256), keys));
    processor.setJWTClaimsSetVerifier(claims);
    return processor;
  }

  public static void main(String[] arguments) throws IOException {
    var verifier = verifier();
    var server = HttpServer.create(new InetSocketAddress("127.0.0.1", PORT), 0);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.createContext("/orders", exchange -> handle(exchange, verifier));
    server.start();
    System.out.println("Orders at http://127.0.0.1:" + PORT);
  }

  private static void handle(HttpExchange exchange, DefaultJWTProcessor<SecurityContext> verifier) throws IOException {
    var header = exchange.getRequestHeaders().getFirst("Authorization");
    if (header == null || !header.regionMatches(true, 0, "Bearer ", 0, 7)) {
      answer(exchange, 401, "{}", "Bearer");
      return;
    }
    JWTClaimsSet claims;
    List<String> scope;
    try {
      claims = verifier.process(header.substring(7).trim(), null);
      scope = List.of(String.valueOf(claims.getStringClaim("scope")).split(" "));
    } catch (KeySourceException error) {
      // A token that names an unknown key must not have the key set fetched over and over: it is refused.
      if (!(error instanceof RateLimitReachedException)) {
        System.err.println(error);
        exchange.getResponseHeaders().set("Retry-After", "5");
        answer(exchange, 503, "{}", null);
        return;
      }
      answer(exchange, 401, "{}", "Bearer error=\"invalid_token\"");
      return;
    } catch (Exception error) {
      answer(exchange, 401, "{}", "Bearer error=\"invalid_token\"");
      return;
    }
    // Bound to a key or a certificate: this program checks no proof of that, so it takes none (RFC 9449, RFC 8705).
    if (claims.getClaim("cnf") != null) {
      answer(exchange, 401, "{}", "Bearer error=\"invalid_token\"");
    } else if (!scope.contains("orders.read")) {
      answer(exchange, 403, "{}", "Bearer error=\"insufficient_scope\", scope=\"orders.read\"");
    } else {
      answer(exchange, 200, "{\"orders\":[]}", null);
    }
  }

  private static void answer(HttpExchange exchange, int status, String body, String challenge) throws IOException {
    var bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    if (challenge != null) exchange.getResponseHeaders().set("WWW-Authenticate", challenge);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
