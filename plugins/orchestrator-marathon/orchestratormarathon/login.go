package orchestratormarathon

import (
	"github.com/rollback-project/rollback/sdk/diag"
)

// login is the part of the block that says as whom we come, and whom we trust.
type login struct {
	Username           *string `json:"username"`
	Password           *string `json:"password"`
	Token              *string `json:"token"`
	ServiceAccountFile *string `json:"service_account_file"`
	ServiceAccount     *string `json:"service_account"`
	CAFile             *string `json:"ca_file"`
	InsecureSkipVerify *bool   `json:"insecure_skip_verify"`
}

func given(s *string) bool { return s != nil && *s != "" }

func (l login) skipVerify() bool { return l.InsecureSkipVerify != nil && *l.InsecureSkipVerify }

// logsIn reports credentials that can get a token.
func (l login) logsIn() bool {
	return given(l.Username) || given(l.ServiceAccountFile) || given(l.ServiceAccount)
}

// check reports what is wrong with the login of a block whose place is known.
func (l login) check(s settings) diag.Diagnostics {
	var ds diag.Diagnostics
	switch {
	case given(l.Username) && !given(l.Password):
		ds = append(ds, diag.Errorf("Missing password", `The username needs a password, such as password = env("DCOS_PASSWORD").`).At("username"))
	case given(l.Password) && !given(l.Username):
		ds = append(ds, diag.Errorf("Missing username", "The password needs a username.").At("password"))
	}
	ways := []struct {
		name string
		used bool
	}{
		{"username", given(l.Username) || given(l.Password)},
		{"token", given(l.Token)},
		{"service_account_file", given(l.ServiceAccountFile)},
		{"service_account", given(l.ServiceAccount)},
	}
	first := ""
	for _, w := range ways {
		switch {
		case !w.used:
		case first == "":
			first = w.name
		default:
			ds = append(ds, diag.Errorf("Conflicting credentials", "There is %s besides %s: keep one way to log in.", w.name, first).At(w.name))
		}
	}
	if (first == "service_account_file" || first == "service_account") && s.at != nil && s.cluster == nil {
		ds = append(ds, diag.Errorf("No DC/OS cluster",
			"A service account logs in to a DC/OS cluster, and %s is not in one: give dcos_url, or a url whose path begins with /service/.", s.at.Host).At(first))
	}
	if l.skipVerify() {
		ds = append(ds, diag.Warnf("Certificates are not verified",
			"With insecure_skip_verify anybody on the way can read the credentials and change what runs. Name the server's authority in ca_file instead.").At("insecure_skip_verify"))
	}
	if first != "" && s.at != nil && s.at.Scheme == "http" && !loopback(s.at.Hostname()) {
		ds = append(ds, diag.Warnf("Credentials without encryption",
			"The credentials for %s can be read by everybody on the way: use https.", s.at.Host).At(first))
	}
	return ds
}
