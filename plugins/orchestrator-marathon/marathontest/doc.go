// Package marathontest is an in-process server of the Marathon v2 REST API for
// tests and for the sandbox.
//
// It keeps Marathon's promises and its traps. Marathon itself cannot be built
// from public package registries, so this server stands in; recorded documents
// that it serves back, upstream's stories told again, and a client that others
// wrote for real Marathons vouch for it.
//
// Time is virtual. Without Options.Auto nothing moves until Advance or Step is
// called, so that a test never sleeps; with it a goroutine lets time pass.
//
// What it does, by the numbers that comments in this package refer to:
//
//   - F1: profiles of Marathon's releases differ in fields, methods, headers,
//     status codes, events and the shape of deployments.
//   - F2: an update merges one level deep. A container is replaced whole and
//     its type falls back to DOCKER; null is as good as absent; unknown members
//     are ignored; executorResources and resourceLimits are erased by an update
//     that leaves them out. partialUpdate=false replaces the definition.
//   - F3: PUT creates what is missing, PATCH does not. An array is all or
//     nothing, one deployment and one version. An element of id and version
//     restores that version.
//   - F4: only apps that change get the new version, and show their new
//     definition from the moment the change is accepted. A change of nothing
//     gets a deployment's id that is never listed, and a success event.
//   - F5: deployments go by depth of dependency, replace instance by instance
//     under the upgradeStrategy, wait for health and readiness, and never give
//     up. Crash loops back off; without offers the queue is overdue and says
//     why. Nothing to run is a success at once.
//   - F6: changed apps are locked: 409, or with force the whole other deployment
//     is cancelled, tasks stay mixed, and the new one is listed late.
//   - F7: deleting a deployment takes it back by another one; by force it stops
//     where it is.
//   - F8: a deployment may be listed late, and stay listed after its success.
//   - F9: event streams with CRLF, heartbeats in two pieces, filters, light and
//     heavy plans; events get lost, change places, and streams end.
//   - F10: proxies, error pages, answers that are lost after the change was
//     made, expired tokens, lists with silent omissions, changes of leader.
//   - F11: ids are validated, and with each write the whole root group.
//   - F12: there is no ETag; the last writer wins.
//
// What it leaves out: callbacks for events, artifacts, plugins, real offers
// (every instance fits unless a Behaviour says otherwise), and most of the
// validation of definitions.
package marathontest
