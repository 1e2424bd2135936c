package marathontest

import "fmt"

// A Profile names a Marathon release whose habits the server imitates. The
// empty Profile stands for DefaultProfile.
type Profile string

// The profiles, oldest first. Each stands for the last patch release of its
// branch unless it names a patch release itself.
const (
	Profile016  Profile = "0.16"
	Profile111  Profile = "1.1.1" // steps with the key "type", which 1.1.2 renamed
	Profile11   Profile = "1.1"
	Profile13   Profile = "1.3"
	Profile14   Profile = "1.4"
	Profile15   Profile = "1.5"
	Profile16   Profile = "1.6.352"
	Profile17   Profile = "1.7"
	Profile18   Profile = "1.8"
	Profile110  Profile = "1.10"
	Profile1_11 Profile = "1.11"

	// DefaultProfile is what an empty Profile means.
	DefaultProfile = Profile1_11
)

// stepsShape is how GET /v2/deployments writes a plan's steps.
type stepsShape int

const (
	stepsFlat   stepsShape = iota // [[{"action":…}]], up to 1.0
	stepsType                     // [{"actions":[{"type":…}]}], 1.1.0 and 1.1.1
	stepsAction                   // [{"actions":[{"action":…}]}], from 1.1.2
)

// planFormat is how much of a plan the events carry.
type planFormat int

const (
	planHeavy       planFormat = iota // always with the whole root group, before 1.5
	planParam                         // heavy unless ?plan-format=light, 1.5 and 1.6
	planLight                         // light unless ?plan-format=heavy, 1.7
	planAlwaysLight                   // parameter ignored, from 1.8
)

// habits is one row of the table of what differs between Marathon releases
// (API.md section 9, F1).
type habits struct {
	version string // as GET /v2/info says it

	steps stepsShape
	plans planFormat

	legacyFields bool // GET emits uris, ports, ipAddress, … (up to 1.4)
	patch        bool // PATCH and ?partialUpdate, from 1.4
	header       bool // Marathon-Deployment-Id, from 1.4
	pods         bool // from 1.4
	instanceKey  bool // health events say instanceId, from 1.4
	offers       bool // the queue has since and processedOffersSummary, from 1.4
	needsID      bool // an array element without id is a 422, from 1.4
	typeErrors   int  // status of a JSON type error: 400, from 1.5 on 422
	filterEvents bool // ?event_type works, from 1.3.7

	erasesExecutor bool // a merge without executorResources erases it, from 1.6.352
	erasesLimits   bool // a merge without resourceLimits erases it, from 1.10
	failReason     bool // deployment_failed says why, from 1.6.352
	maxRunning     bool // 403 on too many deployments, from late 1.5
	role           bool // apps and queue have a role, from 1.9
	redirectEvents bool // a standby answers SSE with 302, from 1.7
	noLeader       int  // status without a leader: 503, from 1.7 on 502
	unknownRoute   int  // status of an unknown route: 404, from 1.7 on 500
	closesSlow     bool // a slow SSE consumer is cut off instead of losing events, from 1.8
	launchDelay    int  // default of maxLaunchDelaySeconds
	oldPing        bool // pong ends with a line feed
}

// table holds the habits of every profile; later rows start from earlier ones.
var table = func() map[Profile]habits {
	h := habits{
		version: "0.16.0", steps: stepsFlat, legacyFields: true, typeErrors: 400,
		noLeader: 503, unknownRoute: 404, launchDelay: 3600, oldPing: true,
	}
	t := map[Profile]habits{Profile016: h}
	h.version, h.steps = "1.1.1", stepsType
	t[Profile111] = h
	h.version, h.steps = "1.1.5", stepsAction
	t[Profile11] = h
	h.version, h.filterEvents = "1.3.13", true
	t[Profile13] = h
	h.version = "1.4.14"
	h.patch, h.header, h.pods, h.instanceKey, h.offers, h.needsID, h.oldPing = true, true, true, true, true, true, false
	t[Profile14] = h
	h.version = "1.5.18"
	h.legacyFields, h.typeErrors, h.maxRunning, h.plans = false, 422, true, planParam
	t[Profile15] = h
	h.version, h.erasesExecutor, h.failReason = "1.6.352", true, true
	t[Profile16] = h
	h.version, h.redirectEvents, h.noLeader, h.unknownRoute, h.plans, h.launchDelay = "1.7.216", true, 502, 500, planLight, 300
	t[Profile17] = h
	h.version, h.plans, h.closesSlow = "1.8.244", planAlwaysLight, true
	t[Profile18] = h
	h.version, h.erasesLimits, h.role = "1.10.17", true, true
	t[Profile110] = h
	h.version = "1.11.24"
	t[Profile1_11] = h
	return t
}()

// Profiles lists every profile, oldest first.
func Profiles() []Profile {
	return []Profile{
		Profile016, Profile111, Profile11, Profile13, Profile14, Profile15,
		Profile16, Profile17, Profile18, Profile110, Profile1_11,
	}
}

// habits looks the profile up.
func (p Profile) habits() (habits, error) {
	if p == "" {
		p = DefaultProfile
	}
	h, ok := table[p]
	if !ok {
		return habits{}, fmt.Errorf("unknown Marathon profile %q", string(p))
	}
	return h, nil
}
