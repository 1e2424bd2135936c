package wire

import (
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/orchestrator"
)

// EncodeEvent translates one message about a deployment.
func EncodeEvent(e orchestrator.Event) *pluginpb.DeploymentEvent {
	out := &pluginpb.DeploymentEvent{}
	switch {
	case e.Accepted != nil:
		out.Event = &pluginpb.DeploymentEvent_Accepted{Accepted: &pluginpb.Accepted{
			DeploymentId: e.Accepted.DeploymentID, Apps: e.Accepted.Apps,
		}}
	case e.Progress != nil:
		out.Event = &pluginpb.DeploymentEvent_Progress{Progress: &pluginpb.Progress{
			App: e.Progress.App, Ready: int64(e.Progress.Ready), Total: int64(e.Progress.Total), Message: e.Progress.Message,
		}}
	case e.Log != nil:
		out.Event = &pluginpb.DeploymentEvent_Log{Log: &pluginpb.Log{
			Level: e.Log.Level, App: e.Log.App, Message: e.Log.Message,
		}}
	case e.Diagnostic != nil:
		out.Event = &pluginpb.DeploymentEvent_Diagnostic{Diagnostic: EncodeDiagnostic(*e.Diagnostic)}
	case e.AppHealthy != nil:
		out.Event = &pluginpb.DeploymentEvent_AppHealthy{AppHealthy: &pluginpb.AppHealthy{
			App: e.AppHealthy.App, Image: e.AppHealthy.Image,
		}}
	case e.AppFailed != nil:
		out.Event = &pluginpb.DeploymentEvent_AppFailed{AppFailed: &pluginpb.AppFailed{
			App: e.AppFailed.App, Fault: EncodeFault(e.AppFailed.Fault),
		}}
	case e.Completed != nil:
		out.Event = &pluginpb.DeploymentEvent_Completed{Completed: &pluginpb.Completed{}}
	}
	return out
}

// DecodeEvent translates one message about a deployment back; false when its content is unknown (rule P24).
func DecodeEvent(e *pluginpb.DeploymentEvent) (orchestrator.Event, bool) {
	switch v := e.GetEvent().(type) {
	case *pluginpb.DeploymentEvent_Accepted:
		return orchestrator.Event{Accepted: &orchestrator.Accepted{
			DeploymentID: v.Accepted.GetDeploymentId(), Apps: v.Accepted.GetApps(),
		}}, true
	case *pluginpb.DeploymentEvent_Progress:
		return orchestrator.Event{Progress: &orchestrator.Progress{
			App: v.Progress.GetApp(), Ready: int(v.Progress.GetReady()), Total: int(v.Progress.GetTotal()),
			Message: v.Progress.GetMessage(),
		}}, true
	case *pluginpb.DeploymentEvent_Log:
		return orchestrator.Event{Log: &orchestrator.Log{
			Level: v.Log.GetLevel(), App: v.Log.GetApp(), Message: v.Log.GetMessage(),
		}}, true
	case *pluginpb.DeploymentEvent_Diagnostic:
		d := DecodeDiagnostic(v.Diagnostic)
		return orchestrator.Event{Diagnostic: &d}, true
	case *pluginpb.DeploymentEvent_AppHealthy:
		return orchestrator.Event{AppHealthy: &orchestrator.AppHealthy{
			App: v.AppHealthy.GetApp(), Image: v.AppHealthy.GetImage(),
		}}, true
	case *pluginpb.DeploymentEvent_AppFailed:
		return orchestrator.Event{AppFailed: &orchestrator.AppFailed{
			App: v.AppFailed.GetApp(), Fault: DecodeFault(v.AppFailed.GetFault()),
		}}, true
	case *pluginpb.DeploymentEvent_Completed:
		return orchestrator.Event{Completed: &orchestrator.Completed{}}, true
	}
	return orchestrator.Event{}, false
}
