package wire

import (
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// EncodeListApps translates a request.
func EncodeListApps(r orchestrator.ListRequest) *pluginpb.ListAppsRequest {
	return &pluginpb.ListAppsRequest{Scope: r.Scope}
}

// DecodeListApps translates a request back.
func DecodeListApps(r *pluginpb.ListAppsRequest) orchestrator.ListRequest {
	return orchestrator.ListRequest{Scope: r.GetScope()}
}

// EncodeApp translates an app.
func EncodeApp(a orchestrator.App) *pluginpb.App {
	return &pluginpb.App{
		Id: a.ID, Kind: a.Kind, Images: EncodeImages(a.Images), Version: a.Version, Fingerprint: a.Fingerprint,
		Labels: a.Labels, Instances: int64(a.Instances), Running: int64(a.Running), Healthy: int64(a.Healthy),
		Deployments: a.Deployments, Immutable: a.Immutable, Separate: a.Separate, Hold: encodeHold(a.Hold),
	}
}

func encodeHold(h *orchestrator.Hold) *pluginpb.Hold {
	if h == nil {
		return nil
	}
	return &pluginpb.Hold{OperationId: h.OperationID, Reason: h.Reason, Images: h.Images}
}

func decodeHold(h *pluginpb.Hold) *orchestrator.Hold {
	if h == nil {
		return nil
	}
	return &orchestrator.Hold{OperationID: h.GetOperationId(), Reason: h.GetReason(), Images: h.GetImages()}
}

// DecodeApp translates an app back.
func DecodeApp(a *pluginpb.App) orchestrator.App {
	return orchestrator.App{
		ID: a.GetId(), Kind: a.GetKind(), Images: DecodeImages(a.GetImages()), Version: a.GetVersion(),
		Fingerprint: a.GetFingerprint(), Labels: a.GetLabels(), Instances: int(a.GetInstances()),
		Running: int(a.GetRunning()), Healthy: int(a.GetHealthy()), Deployments: a.GetDeployments(),
		Immutable: a.GetImmutable(), Separate: a.GetSeparate(), Hold: decodeHold(a.GetHold()),
	}
}

// EncodeImages translates the images of an app.
func EncodeImages(list []orchestrator.ContainerImage) []*pluginpb.ContainerImage {
	return each(list, func(i orchestrator.ContainerImage) *pluginpb.ContainerImage {
		return &pluginpb.ContainerImage{Container: i.Container, Image: i.Image}
	})
}

// DecodeImages translates the images of an app back.
func DecodeImages(list []*pluginpb.ContainerImage) []orchestrator.ContainerImage {
	return each(list, func(i *pluginpb.ContainerImage) orchestrator.ContainerImage {
		return orchestrator.ContainerImage{Container: i.GetContainer(), Image: i.GetImage()}
	})
}

// EncodeChange translates one change.
func EncodeChange(c orchestrator.Change) *pluginpb.Change {
	return &pluginpb.Change{
		App: c.App, Container: c.Container, From: c.From, To: c.To, ExpectedFingerprint: c.ExpectedFingerprint,
		Revision: c.Revision,
	}
}

// DecodeChange translates one change back.
func DecodeChange(c *pluginpb.Change) orchestrator.Change {
	return orchestrator.Change{
		App: c.GetApp(), Container: c.GetContainer(), From: c.GetFrom(), To: c.GetTo(),
		ExpectedFingerprint: c.GetExpectedFingerprint(), Revision: c.GetRevision(),
	}
}

// EncodeDeploy translates a set of changes.
func EncodeDeploy(r orchestrator.DeployRequest) *pluginpb.DeployRequest {
	return &pluginpb.DeployRequest{
		OperationId: r.OperationID, Changes: each(r.Changes, EncodeChange),
		Timeout: encodeDuration(r.Timeout), Labels: r.Labels, Hold: encodeHold(r.Hold),
	}
}

// DecodeDeploy translates a set of changes back.
func DecodeDeploy(r *pluginpb.DeployRequest) orchestrator.DeployRequest {
	return orchestrator.DeployRequest{
		OperationID: r.GetOperationId(), Changes: each(r.GetChanges(), DecodeChange),
		Timeout: decodeDuration(r.GetTimeout()), Labels: r.GetLabels(), Hold: decodeHold(r.GetHold()),
	}
}

// EncodePreview translates what the orchestrator would do.
func EncodePreview(p orchestrator.PreviewResult) *pluginpb.PreviewResponse {
	return &pluginpb.PreviewResponse{Steps: p.Steps, Diagnostics: EncodeDiagnostics(p.Diagnostics)}
}

// DecodePreview translates what the orchestrator would do back.
func DecodePreview(p *pluginpb.PreviewResponse) orchestrator.PreviewResult {
	return orchestrator.PreviewResult{Steps: p.GetSteps(), Diagnostics: DecodeDiagnostics(p.GetDiagnostics())}
}

// EncodeAttach translates what to follow.
func EncodeAttach(r orchestrator.AttachRequest) *pluginpb.AttachRequest {
	return &pluginpb.AttachRequest{
		OperationId: r.OperationID, DeploymentIds: r.DeploymentIDs, Changes: each(r.Changes, EncodeChange),
		Timeout: encodeDuration(r.Timeout),
	}
}

// DecodeAttach translates what to follow back.
func DecodeAttach(r *pluginpb.AttachRequest) orchestrator.AttachRequest {
	return orchestrator.AttachRequest{
		OperationID: r.GetOperationId(), DeploymentIDs: r.GetDeploymentIds(), Changes: each(r.GetChanges(), DecodeChange),
		Timeout: decodeDuration(r.GetTimeout()),
	}
}

// EncodeCancel translates what to stop.
func EncodeCancel(r orchestrator.CancelRequest) *pluginpb.CancelRequest {
	return &pluginpb.CancelRequest{OperationId: r.OperationID, DeploymentIds: r.DeploymentIDs}
}

// DecodeCancel translates what to stop back.
func DecodeCancel(r *pluginpb.CancelRequest) orchestrator.CancelRequest {
	return orchestrator.CancelRequest{OperationID: r.GetOperationId(), DeploymentIDs: r.GetDeploymentIds()}
}

// EncodeLiftHold translates which holds to lift.
func EncodeLiftHold(r orchestrator.LiftHoldRequest) *pluginpb.LiftHoldRequest {
	return &pluginpb.LiftHoldRequest{OperationId: r.OperationID, Apps: r.Apps, Timeout: encodeDuration(r.Timeout)}
}

// DecodeLiftHold translates which holds to lift back.
func DecodeLiftHold(r *pluginpb.LiftHoldRequest) orchestrator.LiftHoldRequest {
	return orchestrator.LiftHoldRequest{OperationID: r.GetOperationId(), Apps: r.GetApps(), Timeout: decodeDuration(r.GetTimeout())}
}

// EncodeRevision translates something an app once ran.
func EncodeRevision(r orchestrator.Revision) *pluginpb.Revision {
	return &pluginpb.Revision{
		App: r.App, Version: r.Version, At: encodeTime(r.At), Images: EncodeImages(r.Images), Config: r.Config,
	}
}

// DecodeRevision translates something an app once ran back.
func DecodeRevision(r *pluginpb.Revision) orchestrator.Revision {
	return orchestrator.Revision{
		App: r.GetApp(), Version: r.GetVersion(), At: decodeTime(r.GetAt()), Images: DecodeImages(r.GetImages()),
		Config: r.GetConfig(),
	}
}

// EncodeRestore translates what comes before the snapshots of a restore.
func EncodeRestore(r orchestrator.RestoreRequest) *pluginpb.RestoreRequest {
	return &pluginpb.RestoreRequest{Content: &pluginpb.RestoreRequest_Begin{Begin: &pluginpb.RestoreBegin{
		OperationId: r.OperationID, Timeout: encodeDuration(r.Timeout),
	}}}
}

// DecodeRestore translates it back, without snapshots.
func DecodeRestore(b *pluginpb.RestoreBegin) orchestrator.RestoreRequest {
	return orchestrator.RestoreRequest{OperationID: b.GetOperationId(), Timeout: decodeDuration(b.GetTimeout())}
}
