package jenkinslike

/** One build: what the pipeline under test is given, and what it has done. */
class Build {
    /** The folder of this build: agents' workspaces, stashes, archive. */
    File folder
    /** What `checkout scm` brings: a folder that is copied into the workspace. */
    File sources
    /** The job's parameters, as the person who started the build has filled them in. */
    Map<String, Object> params = [:]
    /** What the agents' processes inherit. */
    Map<String, String> machine = [:]
    /** Secrets by credentials id: a text, or [user, password]. */
    Map<String, Object> credentials = [:]
    /** Called when `input` is reached: gives the answer, or throws. */
    Closure answer = { Map asked -> throw new AssertionError('nobody was to be asked') }
    /** The build is aborted when the log of a running sh step contains this. */
    String abortWhen

    String result
    String description
    final StringBuilder log = new StringBuilder()
    /** Steps, in order: NAME and what matters of its arguments. */
    final List<String> steps = []
    final List<String> archived = []
    /** Test cases by outcome, as `junit` has read them. */
    final Map<String, List<String>> tests = [passed: [], failed: []]
    final Set<String> secrets = [] as Set
    final Map<String, File> stashes = [:]
    /** What time it is to the pipeline, in milliseconds. */
    long clock = 1700000000000L

    private static final List<String> SEVERITY = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']

    /** Prints a text as Jenkins does: secrets are masked. */
    void print(String text) {
        String shown = text
        secrets.findAll { it }.sort { -it.size() }.each { shown = shown.replace(it, '****') }
        log << shown
    }

    /** A build's result can only get worse. */
    void worsen(String to) {
        if (SEVERITY.indexOf(to) < 0) {
            throw new IllegalArgumentException("no result of Jenkins: $to")
        }
        if (result == null || SEVERITY.indexOf(to) > SEVERITY.indexOf(result)) {
            result = to
        }
    }

    /** What `currentBuild` is to the pipeline. */
    Map getCurrentBuild() {
        new CurrentBuild(this)
    }
}
