package registrytest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Schema1 is an image in the form of before 2016, in which the configs of all layers are part of the manifest.
type Schema1 struct {
	// History are the dates of the layers, the newest first.
	History []time.Time
	// Labels are the image's.
	Labels map[string]string
	// Signed adds a signature, as Docker did.
	Signed bool
}

// PushSchema1 pushes such an image. The registry must still take it: distribution 3 does not.
func (r *Registry) PushSchema1(ctx context.Context, ref string, img Schema1) (Pushed, error) {
	repo, tag, err := split(ref)
	if err != nil {
		return Pushed{}, err
	}
	layer, err := r.Blob(ctx, repo, []byte(sharedLayer))
	if err != nil {
		return Pushed{}, fmt.Errorf("push %s: %w", ref, err)
	}
	payload := img.payload(repo, tag, layer)
	body, mediaType := payload, Schema1Type
	if img.Signed {
		if body, err = sign(payload); err != nil {
			return Pushed{}, fmt.Errorf("push %s: %w", ref, err)
		}
		mediaType = Schema1Signed
	}
	return Pushed{Digest: Digest(payload), Layers: []string{layer}}, r.Manifest(ctx, repo, tag, mediaType, body)
}

func (s Schema1) payload(repo, tag, layer string) []byte {
	type entry map[string]string
	var layers, history []entry
	for i, at := range s.History {
		layers = append(layers, entry{"blobSum": layer})
		c := map[string]any{"id": strings.Repeat(fmt.Sprint(i%10), 64), "created": at.UTC().Format(time.RFC3339Nano), "os": "linux", "architecture": "amd64"}
		if i+1 < len(s.History) {
			c["parent"] = strings.Repeat(fmt.Sprint((i+1)%10), 64)
		}
		if i == 0 {
			c["config"] = map[string]any{"Labels": s.Labels}
		}
		history = append(history, entry{"v1Compatibility": string(encode(c))})
	}
	var b bytes.Buffer
	if err := json.Indent(&b, encode(struct {
		SchemaVersion int     `json:"schemaVersion"`
		Name          string  `json:"name"`
		Tag           string  `json:"tag"`
		Architecture  string  `json:"architecture"`
		FSLayers      []entry `json:"fsLayers"`
		History       []entry `json:"history"`
	}{1, repo, tag, "amd64", layers, history}), "", "   "); err != nil {
		panic(err) // encode made it
	}
	return b.Bytes()
}

// sign adds a JSON web signature in the pretty form, with a key made for the purpose.
func sign(payload []byte) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndexByte(payload, '}')
	length := len(bytes.TrimRight(payload[:end], " \n"))
	protected := b64(encode(map[string]any{
		"formatLength": length, "formatTail": b64(payload[length:]), "time": "2016-01-01T00:00:00Z",
	}))
	sum := sha256.Sum256([]byte(protected + "." + b64(payload)))
	rr, ss, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	signature := append(rr.FillBytes(make([]byte, 32)), ss.FillBytes(make([]byte, 32))...)
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	jwk := map[string]string{"crv": "P-256", "kty": "EC", "x": b64(point[1:33]), "y": b64(point[33:])}
	signatures := encode([]any{map[string]any{
		"header": map[string]any{"alg": "ES256", "jwk": jwk}, "signature": b64(signature), "protected": protected,
	}})
	out := append([]byte{}, payload[:length]...)
	out = append(out, ",\n   \"signatures\": "...)
	out = append(out, signatures...)
	return append(out, payload[length:]...), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
