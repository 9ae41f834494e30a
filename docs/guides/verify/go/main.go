// An API that verifies access tokens by itself: GET /orders needs the permission orders.read.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

type claims struct {
	Subject  string          `json:"sub"`
	ClientID string          `json:"client_id"`
	Scope    string          `json:"scope"`
	Binding  json.RawMessage `json:"cnf"`
}

var errNotGood = errors.New("not an access token for this API")

// typeOf reads the header's typ: ID tokens are signed with the same keys and must not pass.
func typeOf(token string) string {
	first, _, _ := strings.Cut(token, ".")
	var header struct {
		Type string `json:"typ"`
	}
	if decoded, err := base64.RawURLEncoding.DecodeString(first); err == nil {
		_ = json.Unmarshal(decoded, &header)
	}
	return header.Type
}

func claimsOf(ctx context.Context, verifier *oidc.IDTokenVerifier, token string) (*claims, error) {
	if typeOf(token) != "at+jwt" {
		return nil, errNotGood
	}
	// Issuer, audience, algorithm, signature and time.
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	found := &claims{}
	if err := verified.Claims(found); err != nil {
		return nil, err
	}
	// Bound to a key or a certificate: this program checks no proof of that, so it takes none (RFC 9449, RFC 8705).
	if found.ClientID == "" || found.Binding != nil {
		return nil, errNotGood
	}
	return found, nil
}

func main() {
	issuer, audience, port := os.Getenv("ISSUER"), os.Getenv("AUDIENCE"), os.Getenv("PORT")
	ctx := oidc.ClientContext(context.Background(), &http.Client{Timeout: 5 * time.Second})
	// Fetched when the first token comes, kept, and fetched again for a key that it does not hold.
	keys := oidc.NewRemoteKeySet(ctx, issuer+"/oauth2/jwks")
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID:             audience,
		SupportedSigningAlgs: []string{oidc.ES256},
	})

	http.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		found, err := claimsOf(r.Context(), verifier, token)
		// The library does not wrap this error: its words have to do.
		if err != nil && strings.Contains(err.Error(), "fetching keys") {
			log.Print(err)
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !slices.Contains(strings.Fields(found.Scope), "orders.read") {
			w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="orders.read"`)
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"orders": []string{}, "for": found.Subject})
	})

	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Orders at http://127.0.0.1:%s\n", port)
	log.Fatal(http.Serve(listener, nil))
}
