package distribution

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/rollback-project/rollback/sdk/fault"
)

// Bounds of a list of tags: what no registry has, so that one that counts up for ever is noticed.
const (
	maxTags       = 10_000_000
	maxEmptyPages = 100
)

// Tags reads the whole list of tags, sorted, each once. A page that is missing, garbled or leads in a
// circle is an error; a repository that does not exist is a NotFound fault.
func (c *Client) Tags(ctx context.Context, repo Repository) ([]string, error) {
	r := request{
		method:  http.MethodGet,
		path:    "/v2/" + repo.Path + "/tags/list",
		scope:   pull(repo),
		limit:   1 << 62,
		doing:   "list the tags of " + repo.Name,
		subject: repo.Name,
	}
	l := &lister{client: c, request: r, size: c.pageSize, seen: map[string]bool{}}
	for {
		more, err := l.page(ctx)
		if err != nil {
			return nil, err
		}
		if !more {
			slices.Sort(l.tags)
			return slices.Compact(l.tags), nil
		}
	}
}

// lister goes from page to page.
type lister struct {
	client  *Client
	request request
	// size is the number of tags that is asked for; 0 leaves it to the registry.
	size int
	tags []string
	// previous is the last page; seen are the addresses of all.
	previous []string
	seen     map[string]bool
	empty    int
	// counting: the page asked for continues a full one that had no link.
	counting bool
}

// page reads one page and says whether there is another.
func (l *lister) page(ctx context.Context) (more bool, err error) {
	r := l.request
	if r.query == "" && l.size > 0 && len(l.seen) == 0 {
		r.query = "n=" + strconv.Itoa(l.size)
	}
	a, err := l.client.ask(ctx, r)
	if err != nil {
		return false, err
	}
	if l.size > 0 && len(l.seen) == 0 && a.status == http.StatusBadRequest && slices.Contains(codes(a), "PAGINATION_NUMBER_INVALID") {
		l.size = 0 // the registry has its own idea of a page
		return true, nil
	}
	if a.status != http.StatusOK {
		return false, l.refused(a)
	}
	page, err := parseTags(a.body)
	if err != nil {
		return false, l.client.garbled(r, "%v", err)
	}
	l.seen[r.path+"?"+r.query] = true
	known := l.counting && l.knows(page)
	l.tags = append(l.tags, page...)
	if len(l.tags) > maxTags {
		return false, l.client.garbled(r, "there are more than %d tags", maxTags)
	}
	link, err := nextLink(a.header.Values("Link"))
	if err != nil {
		return false, l.client.garbled(r, "%v", err)
	}
	switch {
	case link != "":
		return true, l.follow(a.url, link, page)
	case l.size > 0 && len(page) == l.size && !known:
		// A full page without a link: the list ends here by chance, or the registry cuts without saying so.
		l.counting = true
		l.request.query = url.Values{"n": {strconv.Itoa(l.size)}, "last": {page[len(page)-1]}}.Encode()
		return !l.seen[l.request.path+"?"+l.request.query], nil
	}
	return false, nil
}

// knows reports whether the page brings nothing that is not there already.
func (l *lister) knows(page []string) bool {
	have := make(map[string]bool, len(l.tags))
	for _, t := range l.tags {
		have[t] = true
	}
	return !slices.ContainsFunc(page, func(t string) bool { return !have[t] })
}

// follow makes the link the next request. It stays on the registry's host, and never comes back.
func (l *lister) follow(from *url.URL, link string, page []string) error {
	next, err := from.Parse(link)
	if err != nil {
		return l.client.garbled(l.request, "the link to the next page is no URL")
	}
	if next.Host != from.Host && !l.client.at.same(strings.ToLower(next.Host)) {
		return l.client.garbled(l.request, "the link to the next page leads to another host, %q", next.Host)
	}
	l.request.path, l.request.query = next.EscapedPath(), next.RawQuery
	if len(page) > 0 {
		l.empty = 0
	} else if l.empty++; l.empty > maxEmptyPages {
		return l.client.garbled(l.request, "more than %d empty pages follow one another", maxEmptyPages)
	}
	if l.seen[l.request.path+"?"+l.request.query] || (len(page) > 0 && slices.Equal(page, l.previous)) {
		return l.client.garbled(l.request, "the pages lead in a circle")
	}
	l.previous = page
	return nil
}

// refused tells a repo that does not exist from a registry that does not answer.
func (l *lister) refused(a *answer) error {
	if gone(a) && len(l.seen) == 0 && !slices.Contains(codes(a), transport.UnsupportedErrorCode) {
		name := l.request.subject
		return fault.New(fault.NotFound, "the registry has no repository %s", name).On(name).
			WithHint("Check the repo's name, and the prefix in the address of the registry.")
	}
	return l.client.refused(l.request, a)
}

// parseTags reads a page. A list that is absent, rather than empty or null, makes it no page.
func parseTags(body []byte) ([]string, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(body, &keys); err != nil {
		return nil, errors.New("the list of tags is no JSON object")
	}
	raw, ok := keys["tags"]
	if !ok {
		return nil, errors.New("the answer holds no list of tags")
	}
	var tags []string
	if err := json.Unmarshal(raw, &tags); err != nil {
		return nil, errors.New("the list of tags is not a list of names")
	}
	return tags, nil
}

// nextLink finds the target of the relation next (RFC 8288), "" if there is none.
func nextLink(headers []string) (string, error) {
	for _, h := range headers {
		for h = skip(h); h != ""; h = skip(h) {
			if h[0] != '<' {
				return "", errors.New("the header Link cannot be read")
			}
			end := strings.IndexByte(h, '>')
			if end < 0 {
				return "", errors.New("the header Link cannot be read")
			}
			target := h[1:end]
			var rel string
			rel, h = linkParams(h[end+1:])
			if slices.Contains(strings.Fields(strings.ToLower(rel)), "next") {
				if target == "" {
					return "", errors.New("the link to the next page is empty")
				}
				return target, nil
			}
		}
	}
	return "", nil
}

// linkParams reads the parameters of one link, and returns its relation and what follows.
func linkParams(h string) (rel, rest string) {
	for {
		h = strings.TrimLeft(h, " \t")
		if !strings.HasPrefix(h, ";") {
			// Whatever else stands here up to the next link is nothing we know.
			if i := strings.IndexByte(h, ','); i >= 0 {
				return rel, h[i+1:]
			}
			return rel, ""
		}
		h = strings.TrimLeft(h[1:], " \t;")
		name := token(h)
		h = strings.TrimLeft(h[len(name):], " \t")
		if !strings.HasPrefix(h, "=") {
			continue
		}
		var value string
		h = strings.TrimLeft(h[1:], " \t")
		if strings.HasPrefix(h, `"`) {
			value, h = parameter(h)
		} else {
			value = token(h)
			h = h[len(value):]
		}
		if rel == "" && strings.EqualFold(name, "rel") {
			rel = value
		}
	}
}
