package registrydocker_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
)

// saboteur spoils one request of many.
type saboteur struct {
	seen, target atomic.Int64
	// how is applied to the answer that the registry would have given.
	how atomic.Pointer[func(w http.ResponseWriter, rec *httptest.ResponseRecorder)]
}

func (s *saboteur) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, req)
		if s.seen.Add(1) == s.target.Load() {
			(*s.how.Load())(w, rec)
			return
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	})
}

// sabotage are the ways to spoil an answer.
var sabotage = map[string]func(w http.ResponseWriter, rec *httptest.ResponseRecorder){
	"drop": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) { drop(w) },
	"cut, length known": func(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
		w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
		w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	},
	"cut, length unknown": func(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
		// Ends as if it were whole: only the content can tell.
		w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	},
	"empty": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) { w.WriteHeader(http.StatusOK) },
	"500": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) {
		w.WriteHeader(http.StatusInternalServerError)
	},
	"bare 404": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) {
		http.Error(w, "404 page not found", http.StatusNotFound)
	},
	"a web page": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please sign in</body></html>")
	},
	"JSON of somebody else": func(w http.ResponseWriter, _ *httptest.ResponseRecorder) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status":"ok"}`)
	},
	"one byte else": func(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		w.Write(bytes.Replace(rec.Body.Bytes(), []byte(`:`), []byte(`;`), 1))
	},
}

// TestNoSpoiltAnswerChangesAListing is the rule "complete or an error" of the design, exhaustively: each answer of a
// listing is spoilt in each way, with and without repetitions. The result is an error, or the same.
func TestNoSpoiltAnswerChangesAListing(t *testing.T) {
	s := &saboteur{}
	reg, host := memory(t, s.around)
	for i := range 5 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(i + 1)})
	}
	if _, err := reg.PushIndex(t.Context(), "app:5-master", registrytest.Index{Images: []registrytest.Image{{Created: day(9)}}}); err != nil {
		t.Fatal(err)
	}
	for _, retries := range []int{0, 2} {
		plugin := configure(t, block{"address": host, "retries": retries, "page_size": 3, "concurrency": 1}, quick())
		want := mustList(t, plugin, request("app"))
		requests := s.seen.Swap(0)
		if len(want.Releases) != 6 || requests != 3+5*2+3 {
			t.Fatalf("%d requests, %+v", requests, want)
		}
		for name, how := range sabotage {
			s.how.Store(&how)
			for n := int64(1); n <= requests; n++ {
				s.seen.Store(0)
				s.target.Store(n)
				got, err := list(t.Context(), plugin, request("app"))
				s.target.Store(0)
				if err == nil {
					if d := cmp.Diff(want, got); d != "" {
						t.Errorf("%s of request %d with %d retries changed the listing: %s", name, n, retries, d)
					}
				} else if retries > 0 && (name == "drop" || name == "cut, length known" || name == "500") {
					t.Errorf("%s of request %d was not repeated: %v", name, n, err)
				}
			}
			s.seen.Store(0)
		}
	}
}

// TestNoSpoiltAnswerChangesAListingAtAnySpeed is the same by chance: any registry, any concurrency.
func TestNoSpoiltAnswerChangesAListingAtAnySpeed(t *testing.T) {
	names := []string{}
	for name := range sabotage {
		names = append(names, name)
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := &saboteur{}
		reg, host := memory(t, s.around)
		tags := rapid.SliceOfNDistinct(rapid.IntRange(1, 2000), 1, 8, rapid.ID).Draw(rt, "builds")
		for i, build := range tags {
			at := day(1).Add(time.Duration(rapid.IntRange(0, 500).Draw(rt, "hour")) * time.Hour)
			branch := rapid.SampledFrom([]string{"master", "stage"}).Draw(rt, "branch")
			push(t, reg, fmt.Sprintf("app:%d-%s", build, branch), registrytest.Image{Created: at, Labels: map[string]string{"i": strings.Repeat("x", i)}})
		}
		b := block{"address": host, "retries": rapid.IntRange(0, 2).Draw(rt, "retries"), "concurrency": rapid.IntRange(1, 8).Draw(rt, "concurrency")}
		plugin := configure(t, b, quick())
		want := mustList(t, plugin, request("app"))
		how := sabotage[rapid.SampledFrom(names).Draw(rt, "how")]
		s.how.Store(&how)
		s.target.Store(int64(rapid.IntRange(1, int(s.seen.Swap(0))).Draw(rt, "request")))
		got, err := list(t.Context(), plugin, request("app"))
		if d := cmp.Diff(want, got); err == nil && d != "" {
			rt.Errorf("the listing changed: %s", d)
		}
	})
}
