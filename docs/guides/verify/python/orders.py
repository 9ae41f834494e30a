"""An API that verifies access tokens by itself: GET /orders needs the permission orders.read."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER, AUDIENCE, PORT = os.environ["ISSUER"], os.environ["AUDIENCE"], int(os.environ.get("PORT", "8080"))

# Fetched when the first token comes, kept for a minute, and fetched again for a key that it does not hold.
keys = jwt.PyJWKClient(f"{ISSUER}/oauth2/jwks", lifespan=60, timeout=5)


def claims_of(token: str) -> dict:
    """The claims of the token. Raises jwt.PyJWTError where it is not good."""
    # ID tokens are signed with the same keys and must not pass.
    if jwt.get_unverified_header(token).get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    claims = jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token),
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=5,
        options={"require": ["iss", "aud", "exp", "sub", "client_id"]},
    )
    # Bound to a key or a certificate: this program checks no proof of that, so it takes none (RFC 9449, RFC 8705).
    if "cnf" in claims:
        raise jwt.InvalidTokenError("bound to a key")
    return claims


class Orders(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path != "/orders":
            return self.answer(404)
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self.answer(401, challenge="Bearer")
        try:
            claims = claims_of(token.strip())
        except jwt.PyJWKClientConnectionError as error:
            self.log_error("%s", error)
            return self.answer(503)
        except jwt.PyJWTError:
            return self.answer(401, challenge='Bearer error="invalid_token"')
        if "orders.read" not in claims.get("scope", "").split():
            return self.answer(403, challenge='Bearer error="insufficient_scope", scope="orders.read"')
        return self.answer(200, {"orders": [], "for": claims["sub"]})

    def answer(self, status: int, body: dict | None = None, challenge: str | None = None) -> None:
        content = json.dumps(body or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        if status == 503:
            self.send_header("Retry-After", "5")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args) -> None:
        """Addresses and times of requests are not written."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Orders)
    print(f"Orders at http://127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
