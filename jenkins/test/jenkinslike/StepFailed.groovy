package jenkinslike

/** Thrown by steps that fail, as hudson.AbortException is. */
class StepFailed extends Exception {
    StepFailed(String message) { super(message) }
}
