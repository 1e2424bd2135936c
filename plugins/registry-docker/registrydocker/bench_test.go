package registrydocker_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/registry"
)

var errEnough = errors.New("the host has enough")

// listRepos lists repos in parallel, as the host does; each stops after so many releases (0: never).
func listRepos(b *testing.B, plugin registry.Registry, repos, stop int) {
	b.Helper()
	var g errgroup.Group
	for i := range repos {
		g.Go(func() error {
			n := 0
			err := plugin.ListReleases(b.Context(), request(fmt.Sprintf("repo%d", i)), func(item registry.Item) error {
				if item.Release != nil {
					n++
				}
				if stop > 0 && n == stop {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPoints lists 4 repos of 1,000 tags of three branches, 4 % of them out of order, from Debian's registry:
//
//	go test -run '^$' -bench Points -benchtime 3x ./plugins/registry-docker/registrydocker
func BenchmarkPoints(b *testing.B) {
	const repos, tags = 4, 1000
	reg := debian(b, "", "")
	seed(b, reg, repos, tags)
	host := strings.TrimPrefix(reg.URL, "http://")
	for _, stop := range []int{0, 20} {
		name := "all"
		if stop > 0 {
			name = fmt.Sprintf("first%d", stop)
		}
		for _, warm := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/warm=%v", name, warm), func(b *testing.B) {
				o := quick()
				o.CacheDir = b.TempDir()
				if warm {
					listRepos(b, configure(b, block{"address": host}, o), repos, stop)
				}
				for b.Loop() {
					b.StopTimer()
					if !warm {
						o.CacheDir = b.TempDir()
					}
					plugin := configure(b, block{"address": host}, o)
					b.StartTimer()
					listRepos(b, plugin, repos, stop)
				}
				b.StopTimer()
				if !warm {
					o.CacheDir = b.TempDir()
				}
				b.ReportMetric(float64(countRequests(b, host, func(through string) {
					listRepos(b, configure(b, block{"address": through}, o), repos, stop)
				})), "requests")
			})
		}
	}
}

// countRequests runs work through a proxy.
func countRequests(b *testing.B, host string, work func(through string)) int64 {
	b.Helper()
	var n atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	proxy.ErrorLog = log.New(io.Discard, "", 0) // a listing that stops leaves requests behind
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		n.Add(1)
		proxy.ServeHTTP(w, req)
	}))
	defer srv.Close()
	work(hostOf(b, srv.URL))
	return n.Load()
}

// seed pushes the images.
func seed(b *testing.B, reg *registrytest.Registry, repos, tags int) {
	b.Helper()
	var g errgroup.Group
	g.SetLimit(8)
	branches := []string{"master", "stage", "develop"}
	for r := range repos {
		for i := range tags {
			g.Go(func() error {
				at := i
				if i%25 == 0 { // 4 % were built up to three builds late
					at = i - 1 - i%3
				}
				ref := fmt.Sprintf("repo%d:%d-%s", r, i, branches[i%3])
				_, err := reg.Push(b.Context(), ref, registrytest.Image{
					Created: now.Add(time.Duration(at-tags) * time.Hour), Labels: map[string]string{"ref": ref}, Docker: true,
				})
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkMemory lists one repo of 100,000 tags, whose images are made up as they are asked for.
func BenchmarkMemory(b *testing.B) {
	const tags = 100_000
	host := hostOf(b, endless(b, tags))
	for _, stop := range []int{20, 0} {
		b.Run(fmt.Sprintf("stop=%d", stop), func(b *testing.B) {
			b.ReportAllocs()
			var peak atomic.Uint64
			look := func() {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapInuse))
			}
			for b.Loop() {
				plugin := configure(b, block{"address": host}, quick())
				n := 0
				err := plugin.ListReleases(b.Context(), request("repo0"), func(registry.Item) error {
					if n++; n%1000 == 1 {
						look()
					}
					if n == stop+1 && stop > 0 {
						return errEnough
					}
					return nil
				})
				if err != nil && !errors.Is(err, errEnough) {
					b.Fatal(err)
				}
				if stop == 0 && n != 1+(tags+2)/3 {
					b.Fatalf("%d items", n)
				}
			}
			b.ReportMetric(float64(peak.Load())/(1<<20), "MiB-heap-peak")
		})
	}
}

// endless is a registry with a repo of so many tags.
func endless(b *testing.B, tags int) string {
	b.Helper()
	var mu sync.Mutex
	branches := []string{"master", "stage", "develop"}
	tag := func(i int) string { return fmt.Sprintf("%06d-%s", i, branches[i%3]) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/repo0/tags/list", func(w http.ResponseWriter, req *http.Request) {
		first := 0
		if last := req.URL.Query().Get("last"); last != "" {
			n, err := strconv.Atoi(last[:6])
			if err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			first = n + 1
		}
		end := min(first+1000, tags)
		if end < tags {
			w.Header().Set("Link", fmt.Sprintf(`</v2/repo0/tags/list?n=1000&last=%s>; rel="next"`, tag(end-1)))
		}
		fmt.Fprint(w, `{"name":"repo0","tags":[`)
		for i := first; i < end; i++ {
			if i > first {
				fmt.Fprint(w, ",")
			}
			fmt.Fprintf(w, `"%s"`, tag(i))
		}
		fmt.Fprint(w, `]}`)
	})
	configs := map[string][]byte{}
	mux.HandleFunc("GET /v2/repo0/manifests/{ref}", func(w http.ResponseWriter, req *http.Request) {
		n, err := strconv.Atoi(req.PathValue("ref")[:6])
		if err != nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		config := fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","created":%q}`, now.Add(time.Duration(n-tags)*time.Minute).Format(time.RFC3339))
		digest := registrytest.Digest(config)
		mu.Lock()
		configs[digest] = config
		mu.Unlock()
		w.Header().Set("Content-Type", registrytest.OCIManifest)
		fmt.Fprintf(w, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[]}`,
			registrytest.OCIManifest, registrytest.OCIConfig, digest, len(config))
	})
	mux.HandleFunc("GET /v2/repo0/blobs/{digest}", func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Write(configs[req.PathValue("digest")])
		delete(configs, req.PathValue("digest"))
	})
	srv := httptest.NewServer(mux)
	b.Cleanup(srv.Close)
	return srv.URL
}
