package org.jenkinsci.plugins.workflow.steps

/** What Jenkins throws when a step is interrupted: by a time-out, or by a person. */
class FlowInterruptedException extends InterruptedException {
    /** What has interrupted the step, for the tests; pipelines may not ask. */
    final String interruptedBy

    FlowInterruptedException(String interruptedBy) {
        super()
        this.interruptedBy = interruptedBy
    }

    /** In the sandbox of a default Jenkins this asks for an administrator's approval. */
    List getCauses() {
        throw new SecurityException('Scripts not permitted to use method FlowInterruptedException getCauses')
    }
}
