package jenkinslike

import groovy.json.JsonSlurper

/** Runs scenarios, each with a build and a sandbox of its own, and counts them. */
abstract class Suite {
    /** What prod runs at first, and at the point before. */
    public static final Map BEFORE = ['backend-a': '12-master', 'backend-b': '11-master', 'backend-c': '11-master',
                                frontend: '12-master']
    public static final Map AFTER = ['backend-a': '11-master', 'backend-b': '10-master', 'backend-c': '10-master',
                               frontend: '11-master']
    /** What people answer; and what they answer where a stand-in offers its one date. */
    public static final Closure ANSWERED = { Map asked -> [DATE: World.YESTERDAY, APPROVER: 'alice'] }
    public static final Closure CANNED = { Map asked -> [DATE: 'THE-DATE', APPROVER: 'alice'] }

    final File jenkins
    final File program
    final File folder
    final String only
    int passed
    int failed
    World world
    Build build
    final String door
    List<String> complaints

    Suite(String jenkins, String program, String folder, String door, String only) {
        this.door = door
        this.jenkins = new File(jenkins)
        this.program = new File(program).canonicalFile
        this.folder = new File(folder)
        this.only = only
    }

    /** Runs one scenario. `flags` are the sandbox's. */
    void scenario(String name, List<String> flags = [], Closure body) {
        if (only && !name.contains(only)) {
            return
        }
        complaints = []
        File place = new File(folder, "$door-${passed + failed}")
        world = new World(new File(place, 'sandbox'), program.path, flags)
        try {
            build = new Build(folder: new File(place, 'build'), sources: new File(place, 'sources'), answer: ANSWERED)
            build.sources.mkdirs()
            policy(world.policy)
            File bin = new File(place, 'bin')
            bin.mkdirs()
            new ProcessBuilder('ln', '-s', program.path, "$bin/rollback").start().waitFor()
            build.machine = [PATH: "$bin:/usr/bin:/bin".toString(), HOME: "$place".toString(), USER: 'jenkins', LANG: 'C.UTF-8']
            build.params = [ENVIRONMENT: 'prod', REASON: 'checkout is broken', TICKET: 'OPS-1']
            body()
            boolean pwned = false
            place.eachFileRecurse { pwned |= it.name.startsWith('pwned') }
            check('nothing was evaluated by a shell', false, pwned)
            build.secrets.each { String secret -> check('no secret in the log', false, build.log.indexOf(secret) >= 0) }
        } catch (Throwable thrown) {
            StringWriter trace = new StringWriter()
            thrown.printStackTrace(new PrintWriter(trace))
            complaints << "threw $trace".readLines().findAll { !(it =~ /^\tat /) }.take(4).join('\n      ')
        } finally {
            world.down()
        }
        complaints ? failed++ : passed++
        println "  ${complaints ? 'FAIL' : 'ok  '} $door: $name"
        if (complaints) {
            complaints.each { println "      $it" }
            println build.log.toString().readLines().collect { "      | $it" }.join('\n')
        }
    }

    void policy(String text, String name = 'policy.hcl') {
        new File(build.sources, name).setText(text, 'UTF-8')
    }

    void go(Map settings = [:]) {
        new Run(build).go(door, jenkins, settings)
    }

    /** A program that stands in for rollback: the body says what it does; $REAL is the real one. */
    String standIn(String body) {
        File script = new File(folder, "$door-${passed + failed}/stand-in")
        script.setText("#!/bin/sh\nREAL=${program.path}\n$body\n", 'UTF-8')
        script.executable = true
        script.path
    }

    void check(String what, Object want, Object got) {
        if (want != got) {
            complaints << "$what: want $want, got $got".toString()
        }
    }

    void result(String want) { check('result', want, build.result) }

    void runs(Map want) { check('prod runs', want, world.running()) }

    void logged(String text) { check("logged: $text", true, build.log.indexOf(text) >= 0) }

    void description(String want) { check('description', want, build.description) }

    /** The steps that were taken, without their arguments. */
    void steps(String want) {
        check('steps', want, build.steps.findAll { !(it =~ /^(checkout|withCredentials|stage|skipped)/) }
            .collect { it.tokenize(' ').first() }.join(' '))
    }

    void untouched() {
        runs(BEFORE)
        check('nothing was applied', false, build.steps.contains('sh Roll back'))
    }

    /** A program that knows one date and one plan; `bodies` say what some of its commands do instead. */
    String canned(Map<String, String> bodies) {
        Map<String, String> commands = [
            version: 'echo rollback 9.0.0', points: 'echo THE-DATE', show: 'echo a page',
            plan: 'echo a plan; : >rollback-out/rollback.plan; exit 2', apply: 'exit 64',
        ] + bodies
        standIn('case "$1" in\n' + commands.collect { name, body -> "$name) $body ;;" }.join('\n') + '\nesac')
    }

    /** Who asked for the last operation, and why; recorded beside the policy of the agent that has applied. */
    void history(Map want, String policy = 'policy.hcl') {
        File agent = new File(build.folder, 'agent-3/workspace')
        String said = world.run(['history', 'show', '--json', "--file=$policy".toString(), '--env=prod'], agent)
        def record = new JsonSlurper().parseText(said)
        check('history', want, want.keySet().collectEntries { [it, find(record, it)] })
    }

    static Object find(Object node, String key) {
        if (node instanceof Map) {
            return node.containsKey(key) ? node[key] : node.values().findResult { find(it, key) }
        }
        node instanceof List ? node.findResult { find(it, key) } : null
    }

    /** Processes that apply for this build and have outlived it. */
    List<String> leftovers() {
        new File('/proc').listFiles().findAll { it.name.isInteger() }.collect {
            try { new File(it, 'cmdline').getText('UTF-8').replace('\0', ' ') + new File(it, 'environ').getText('UTF-8') } catch (IOException ended) { '' }
        }.findAll { it.contains('rollback apply') && it.contains("$build.folder") }
    }
}
