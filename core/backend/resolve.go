package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollback-project/rollback/core/backend/pluginlock"
	"github.com/rollback-project/rollback/core/policy/source"
	"github.com/rollback-project/rollback/sdk/diag"
	"github.com/rollback-project/rollback/sdk/host"
	"github.com/rollback-project/rollback/sdk/schema"
)

// resolved is a plugin that is going to be started.
type resolved struct {
	want  Want
	index int // of the want among all
	found Found
	// sum is the checksum in hex that the executable must have; "" for a built-in plugin.
	sum string
	// where says in words where sum is recorded.
	where string
}

// resolve chooses an executable and a checksum for each want. What cannot be resolved is reported and left out.
func resolve(opts Options, wants []Want) ([]resolved, diag.Diagnostics) {
	all, ds := Find(opts, wants)
	ds = slices.DeleteFunc(ds, func(d diag.Diagnostic) bool { // only what concerns these plugins
		return d.Summary == "Plugin file is not used" && !slices.ContainsFunc(wants, func(w Want) bool {
			return strings.Contains(d.Detail, Found{Kind: w.Kind, Name: w.Name}.Title())
		})
	})
	lock, more := readLock(opts)
	ds = append(ds, more...)
	if more.HasErrors() {
		return nil, ds
	}
	var out []resolved
	for n, w := range wants {
		r := resolved{want: w, index: n}
		i := indexOf(all, w)
		if i < 0 {
			ds = append(ds, w.locate(diag.Diagnostics{notFound(opts, all, w)})...)
			continue
		}
		r.found = all[i]
		if r.found.Source != FromSelf {
			var problem *diag.Diagnostic
			if r.sum, r.where, problem = recorded(opts, lock, w, r.found); problem != nil {
				ds = append(ds, w.locate(diag.Diagnostics{*problem})...)
				continue
			}
		}
		out = append(out, r)
	}
	return out, ds
}

// readLock reads the lock file, if there is to be one.
func readLock(opts Options) (pluginlock.File, diag.Diagnostics) {
	if opts.LockFile == "" {
		return pluginlock.File{}, nil
	}
	return pluginlock.Read(opts.LockFile)
}

// recorded finds the checksum that an outside plugin must have.
func recorded(opts Options, lock pluginlock.File, w Want, f Found) (sum, where string, problem *diag.Diagnostic) {
	if w.SHA256 != "" && f.Source == FromPolicy {
		return plain(w.SHA256), "the policy's plugin block", nil
	}
	entry, locked := lock.Find(w.Kind, w.Name)
	if sum, ok := entry.Hashes[pluginlock.Platform()]; ok {
		return plain(sum), opts.LockFile, nil
	}
	d := diag.Errorf("Plugin is not locked",
		"The %s at %s comes from outside, and no checksum of it is recorded. If you trust this file, run \"rollback plugins lock\" and commit %s.",
		f.Title(), f.Path, pluginlock.Name)
	if locked {
		d = diag.Errorf("Plugin is not locked for this platform",
			"The %s is locked, but not for %s. Run \"rollback plugins lock\" on this platform, or give the plugin's makers' checksums to it, and commit %s.",
			f.Title(), pluginlock.Platform(), pluginlock.Name)
	}
	return "", "", &d
}

// plain is a checksum in lower-case hex alone.
func plain(sum string) string { return strings.TrimPrefix(strings.ToLower(sum), "sha256:") }

// notFound says where was looked, and which name was perhaps meant.
func notFound(opts Options, all []Found, w Want) diag.Diagnostic {
	var same []string
	elsewhere := ""
	for _, f := range all {
		switch {
		case f.Kind == w.Kind && !f.Hidden:
			same = append(same, f.Name)
		case f.Name == w.Name && f.Kind != w.Kind:
			elsewhere = fmt.Sprintf(" %q is of the kind %s.", f.Name, f.Kind)
		}
	}
	detail := fmt.Sprintf("There is no %s plugin %q.", w.Kind, w.Name)
	detail += source.DidYouMean(w.Name, same) + elsewhere
	if len(same) > 0 {
		detail += fmt.Sprintf(" Available: %s.", strings.Join(same, ", "))
	}
	places := slices.Clone(opts.Dirs)
	if opts.UserDir != "" {
		places = append(places, opts.UserDir)
	}
	detail += fmt.Sprintf(" An outside plugin is a file rollback-%s-%s", w.Kind, w.Name)
	if len(places) > 0 {
		detail += " in " + strings.Join(places, " or ") + ", or one"
	}
	detail += " that a plugin block of the policy names."
	return diag.Diagnostic{Severity: diag.Error, Summary: "Unknown plugin", Detail: detail}
}

// startProblem turns the error of a start into a diagnostic.
func startProblem(r resolved, err error) diag.Diagnostic {
	var sum *host.ChecksumError
	if errors.As(err, &sum) {
		return diag.Errorf("Plugin has another checksum",
			"The %s at %s is not the file that was agreed on, and was not started.\n  expected sha256:%s (from %s)\n  found    sha256:%s\nIf the file was replaced on purpose, run \"rollback plugins lock\" and have the change reviewed.",
			r.found.Title(), sum.Path, sum.Want, r.where, sum.Got)
	}
	return diag.Errorf("Plugin does not start", "%s", sentence(err))
}

// sentence ends the text of an error with a full stop, unless it ends with log lines.
func sentence(err error) string {
	if text := err.Error(); strings.Contains(text, "\n") {
		return text
	}
	return err.Error() + "."
}

// config is what the plugin's process is started with.
func (r resolved) config(opts Options) host.Config {
	cfg := host.Config{
		Kind: r.want.Kind, Name: r.want.Name, Path: r.found.Path, SHA256: r.sum, Environ: opts.Environ,
		Logger: opts.Logger, Redactor: opts.Redactor, StartTimeout: opts.StartTimeout,
	}
	if r.found.Source == FromSelf {
		cfg.Args = []string{"serve-plugin", fmt.Sprintf("%s-%s", r.want.Kind, r.want.Name)}
	}
	return cfg
}

// runtime is what the plugin is told of its host.
func (o Options) runtime() schema.Runtime {
	return schema.Runtime{Logger: o.Logger, UserAgent: o.UserAgent, WorkDir: o.WorkDir, Parallelism: o.Parallelism}
}
