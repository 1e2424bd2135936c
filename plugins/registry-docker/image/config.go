package image

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// Image is what a tag leads to on one platform.
type Image struct {
	// Digest is of what the tag points at.
	Digest string
	// Annotations are those of the index, then those of the manifest.
	Annotations []map[string]string
	Config      Config
}

// Config is what matters of an image's config.
type Config struct {
	// Created is as it was written; "" when absent.
	Created  string
	Labels   map[string]string
	Platform Platform
}

// ParseConfig reads a config. Its digest has been checked: what is odd in it was pushed so,
// and odd fields count as absent.
func ParseConfig(body []byte) (Config, error) {
	var c struct {
		Created any `json:"created"`
		Platform
		Config struct {
			Labels map[string]any `json:"Labels"`
		} `json:"config"`
	}
	err := json.Unmarshal(body, &c)
	var wrongType *json.UnmarshalTypeError
	if err != nil && (!errors.As(err, &wrongType) || wrongType.Field == "") {
		return Config{}, errors.New("it is no JSON object")
	}
	out := Config{Platform: c.Platform}
	out.Created, _ = c.Created.(string)
	for k, v := range c.Config.Labels {
		if text, ok := v.(string); ok {
			if out.Labels == nil {
				out.Labels = map[string]string{}
			}
			out.Labels[k] = text
		}
	}
	return out, nil
}

// ConfigOfSchema1 reads the history of a schema 1 manifest, in which the configs of all layers are: the first is
// the image's, and the newest date counts.
func (d *Document) ConfigOfSchema1() (Config, error) {
	out := Config{Platform: Platform{OS: "linux", Architecture: d.Architecture}}
	for i, h := range d.History {
		c, err := ParseConfig([]byte(h.V1Compatibility))
		if err != nil {
			return Config{}, err
		}
		if i == 0 {
			out.Labels = c.Labels
			if c.Platform.OS != "" {
				out.Platform.OS = c.Platform.OS
			}
		}
		if later(c.Created, out.Created) {
			out.Created = c.Created
		}
	}
	return out, nil
}

// later reports whether a is a date, and b an earlier one or none.
func later(a, b string) bool {
	at, ok := parseDate(a)
	if !ok {
		return false
	}
	before, ok := parseDate(b)
	return !ok || at.After(before)
}

// Labels are the config's, and the annotations that the config lacks; nil when there are none.
func (i *Image) Labels() map[string]string {
	all := map[string]string{}
	for _, a := range slices.Backward(i.Annotations) {
		maps.Copy(all, a)
	}
	maps.Copy(all, i.Config.Labels)
	if len(all) == 0 {
		return nil
	}
	return all
}
