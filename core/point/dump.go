package point

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Dump is the file that the article's `get` writes and its Jenkins job and `run` read:
// {"all": [repos], "rollbacks": {"2019-06-01": [{"12-master": "repo1"}]}}.
// It names only what was released at a date; gaps are the reader's to fill.
type Dump struct {
	All []string
	// Rollbacks are newest first; a reader that keeps the order of keys, as Jenkins's drop-down does, shows them so.
	Rollbacks []DumpDate
}

// DumpDate is one key of rollbacks.
type DumpDate struct {
	Date   string
	Images []DumpImage
}

// DumpImage is one object {tag: repo}.
type DumpImage struct{ Tag, Repo string }

// Dump renders the timeline. It leaves out what is known not to be usable.
func (t *Timeline) Dump() Dump {
	d := Dump{All: make([]string, len(t.repos)), Rollbacks: []DumpDate{}}
	for i := range t.repos {
		d.All[i] = t.repos[i].Name
	}
	for _, p := range t.Points {
		date := DumpDate{Date: p.Date, Images: []DumpImage{}}
		for _, c := range p.Choices {
			if c.Reason == Released && c.Problem == "" {
				date.Images = append(date.Images, DumpImage{Tag: c.Release.Tag, Repo: c.Repo})
			}
		}
		if len(date.Images) > 0 {
			d.Rollbacks = append(d.Rollbacks, date)
		}
	}
	return d
}

// MarshalJSON keeps the order of the dates, which a map would lose.
func (d Dump) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	all := d.All
	if all == nil {
		all = []string{}
	}
	write := func(v any) error {
		raw, err := json.Marshal(v)
		b.Write(raw)
		return err
	}
	b.WriteString(`{"all":`)
	errs := []error{write(all)}
	b.WriteString(`,"rollbacks":{`)
	for i, date := range d.Rollbacks {
		if i > 0 {
			b.WriteByte(',')
		}
		images := make([]map[string]string, len(date.Images))
		for j, im := range date.Images {
			images[j] = map[string]string{im.Tag: im.Repo}
		}
		errs = append(errs, write(date.Date))
		b.WriteByte(':')
		errs = append(errs, write(images))
	}
	b.WriteString("}}")
	return b.Bytes(), errors.Join(errs...)
}

// UnmarshalJSON reads a dump, also one that the article's own script wrote. Dates come out newest first.
func (d *Dump) UnmarshalJSON(data []byte) error {
	var raw struct {
		All       []string                       `json:"all"`
		Rollbacks map[string][]map[string]string `json:"rollbacks"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("read dump: %w", err)
	}
	if raw.All == nil || raw.Rollbacks == nil {
		return errors.New(`read dump: it must have the keys "all" and "rollbacks"`)
	}
	*d = Dump{All: raw.All, Rollbacks: []DumpDate{}}
	for date, objects := range raw.Rollbacks {
		one := DumpDate{Date: date, Images: []DumpImage{}}
		for _, o := range objects {
			for tag, repo := range o {
				if !slices.Contains(raw.All, repo) {
					return fmt.Errorf("read dump: %s has an image of %q, which is not among all repos", clean(date), clean(repo))
				}
				one.Images = append(one.Images, DumpImage{Tag: tag, Repo: repo})
			}
		}
		slices.SortFunc(one.Images, func(a, b DumpImage) int {
			if c := slices.Index(raw.All, a.Repo) - slices.Index(raw.All, b.Repo); c != 0 {
				return c
			}
			return strings.Compare(a.Tag, b.Tag)
		})
		d.Rollbacks = append(d.Rollbacks, one)
	}
	slices.SortFunc(d.Rollbacks, func(a, b DumpDate) int { return strings.Compare(b.Date, a.Date) })
	return nil
}
