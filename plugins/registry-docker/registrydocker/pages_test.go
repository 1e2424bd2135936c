package registrydocker_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollback-project/rollback/plugins/registry-docker/registrytest"
	"github.com/rollback-project/rollback/sdk/fault"
	"github.com/rollback-project/rollback/sdk/registry"
)

// pages serves lists of tags by hand; everything else is not found.
func pages(t *testing.T, serve func(w http.ResponseWriter, req *http.Request)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isList(req) || strings.Contains(req.URL.Path, "/more/") {
			serve(w, req)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`)
	}))
	t.Cleanup(srv.Close)
	return hostOf(t, srv.URL)
}

func page(w http.ResponseWriter, link string, tags ...string) {
	if link != "" {
		w.Header().Set("Link", link)
	}
	fmt.Fprintf(w, `{"name":"app","tags":["%s"]}`, strings.Join(tags, `","`))
}

func TestPagesAreFollowedByTheirLinks(t *testing.T) {
	cases := []struct {
		name, link string
	}{
		{"relative", `</v2/app/tags/list?last=2-master>; rel="next"`},
		{"unquoted", `</v2/app/tags/list?last=2-master>; rel=next`},
		{"query alone", `<?last=2-master>; rel="next"`},
		{"after others", `</first>; rel="first", </v2/app/tags/list?last=2-master>; title="a,b;c"; rel="next"`},
		{"with more than one relation", `</v2/app/tags/list?last=2-master>; rel="last next"`},
		{"another path", `</v2/more/app?last=2-master>; rel="next"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			host := pages(t, func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Query().Get("last") == "" {
					page(w, c.link, "1-master", "2-master")
					return
				}
				page(w, "", "3-master")
			})
			got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
			if d := cmp.Diff([]string{"3-master", "2-master", "1-master"}, got.Order); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestALinkOfTheRegistrysOwnAddressIsFollowedWhateverItsScheme(t *testing.T) {
	host := pages(t, func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("last") == "" {
			page(w, fmt.Sprintf(`<https://%s/v2/app/tags/list?last=1>; rel="next"`, req.Host), "1-master")
			return
		}
		page(w, "", "2-master")
	})
	got := mustList(t, configure(t, block{"address": host}, quick()), request("app"))
	if len(got.Order) != 2 {
		t.Errorf("got %v", got.Order)
	}
}

func TestPagesThatNeverEndAreAnError(t *testing.T) {
	next := 0
	cases := map[string]func(w http.ResponseWriter, req *http.Request){
		"the same page again": func(w http.ResponseWriter, _ *http.Request) {
			page(w, `</v2/app/tags/list?last=1>; rel="next"`, "1-master")
		},
		"a circle": func(w http.ResponseWriter, req *http.Request) {
			to := map[string]string{"": "a", "a": "b", "b": "a"}[req.URL.Query().Get("last")]
			page(w, fmt.Sprintf(`</v2/app/tags/list?last=%s>; rel="next"`, to), to+"-master")
		},
		"the same page under ever new addresses": func(w http.ResponseWriter, _ *http.Request) {
			next++
			page(w, fmt.Sprintf(`</v2/app/tags/list?last=%d>; rel="next"`, next), "1-master")
		},
		"empty pages for ever": func(w http.ResponseWriter, _ *http.Request) {
			next++
			w.Header().Set("Link", fmt.Sprintf(`</v2/app/tags/list?last=%d>; rel="next"`, next))
			fmt.Fprint(w, `{"tags":[]}`)
		},
		"another host": func(w http.ResponseWriter, _ *http.Request) {
			page(w, `<http://registry.example.com/v2/app/tags/list?last=1>; rel="next"`, "1-master")
		},
		"a link that cannot be read": func(w http.ResponseWriter, _ *http.Request) {
			page(w, `/v2/app/tags/list?last=1; rel="next"`, "1-master")
		},
		"an empty link": func(w http.ResponseWriter, _ *http.Request) {
			page(w, `<>; rel="next"`, "1-master")
		},
	}
	for name, serve := range cases {
		t.Run(name, func(t *testing.T) {
			host := pages(t, serve)
			_, err := list(t.Context(), configure(t, block{"address": host}, quick()), request("app"))
			if !fault.Is(err, fault.Internal) {
				t.Errorf("err = %v", err)
			}
		})
	}
}

// Some registries cut the list at the page size and set no link.
func TestAFullPageWithoutALinkIsNotTheEnd(t *testing.T) {
	reg, host := memory(t)
	var want []string
	for i := range 25 {
		push(t, reg, fmt.Sprintf("app:%d-master", i), registrytest.Image{Created: day(1)})
		want = append(want, fmt.Sprintf("%d-master", i))
	}
	slices.Reverse(want)
	for _, size := range []int{1, 5, 7, 24, 25, 26, 0} {
		got := mustList(t, configure(t, block{"address": host, "page_size": size}, quick()), request("app"))
		if d := cmp.Diff(want, got.Order); d != "" {
			t.Errorf("page_size %d: %s", size, d)
		}
	}
}

func TestARegistryMayRefuseThePageSize(t *testing.T) {
	host := pages(t, func(w http.ResponseWriter, req *http.Request) {
		if n := req.URL.Query().Get("n"); n != "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"errors":[{"code":"PAGINATION_NUMBER_INVALID","message":"invalid number of results requested","detail":{"n":%s}}]}`, strconv.Quote(n))
			return
		}
		page(w, "", "1-master")
	})
	if got := mustList(t, configure(t, block{"address": host}, quick()), request("app")); len(got.Order) != 1 {
		t.Errorf("got %v", got.Order)
	}
}

func TestAGarbledListIsAnError(t *testing.T) {
	for _, body := range []string{
		"", "<html>maintenance</html>", "{}", `{"name":"app"}`, `{"tags":7}`, `{"tags":["1-master"`, `{"tags":["1-master"]}x`,
		`{"tags":[1]}`, `[]`, `null`, `{"errors":[{"code":"UNKNOWN"}]}`,
	} {
		host := pages(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		got, err := list(t.Context(), configure(t, block{"address": host}, quick()), request("app"))
		if !fault.Is(err, fault.Internal) || len(got.Order) != 0 {
			t.Errorf("%q: got %+v, err = %v", body, got, err)
		}
	}
}

func TestATagIsListedOnceAndOnlyAskedForIfItCanBeOne(t *testing.T) {
	host := pages(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"name":"app","tags":["1-master","1-master","2-master","3-../../x"]}`)
	})
	req := request("app")
	req.Branch = "../../x"
	got := mustList(t, configure(t, block{"address": host}, quick()), req)
	if d := cmp.Diff(map[string]registry.SkipReason{"3-../../x": registry.SkipUnsupported}, reasons(got)); d != "" {
		t.Error(d)
	}
	if got.Listing.Tags != 3 {
		t.Errorf("tags = %d", got.Listing.Tags)
	}
}
