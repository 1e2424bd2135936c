package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestThePagesAreThoseOfTheCode(t *testing.T) {
	for name, want := range pages() {
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
		if err != nil {
			t.Fatalf("%v: run `make docs`", err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("docs/%s is not what the code says; run `make docs` (-code +file):\n%s", name, diff)
		}
	}
}

func TestEveryAttributeIsDocumented(t *testing.T) {
	for _, d := range descriptions() {
		if d.Doc == "" {
			t.Errorf("%s %q has no documentation", d.Kind, d.Name)
		}
		for _, a := range d.Schema.Attributes {
			if a.Doc == "" {
				t.Errorf("%s %q: the attribute %s has no documentation", d.Kind, d.Name, a.Name)
			}
		}
	}
}

func TestWritingSaysWhyItFailed(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	if err := write(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}
