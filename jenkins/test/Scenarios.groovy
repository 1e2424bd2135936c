// Executes a front door, Jenkinsfile or library, with the steps of jenkinslike/, and really runs the rollback binary
// against sandboxes. Usage: groovy -cp jenkins/test jenkins/test/Scenarios.groovy JENKINS ROLLBACK FOLDER DOOR [NAME]
import jenkinslike.Build
import jenkinslike.Run
import jenkinslike.World

import groovy.json.JsonSlurper

class Scenarios {
    static final Map BEFORE = ['backend-a': '12-master', 'backend-b': '11-master', 'backend-c': '11-master', frontend: '12-master']
    static final Map AFTER = ['backend-a': '11-master', 'backend-b': '10-master', 'backend-c': '10-master', frontend: '11-master']
    static final Closure ANSWERED = { Map asked -> [DATE: World.YESTERDAY, APPROVER: 'alice'] }
    /** Text that hurts wherever it is read as code. */
    static final String NASTY = 'it\'s "quoted" $(touch pwned) `touch pwned` ${HOME} $HOME; touch pwned & \\ %s *\nnext -line'

    final File jenkins
    final File program
    final File folder
    final String only
    int passed
    int failed
    private List<String> complaints
    private World world
    private Build build
    private final String door

    Scenarios(String jenkins, String program, String folder, String door, String only) {
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

    void all() {
        deciding()
        refusals()
        applying()
        hostile()
        programs()
    }

    void deciding() {
        scenario('nobody answers within two minutes: skipped, which is no failure') {
            build.answer = { 'NOBODY' }
            go()
            result('SUCCESS')
            description('Skipped: nobody has chosen a date.')
            steps('node sh timeout input')
            check('the time-out', true, build.steps.contains('timeout 120 s'))
            untouched()
        }
        scenario('the answer is null: skipped') {
            build.answer = { null }
            go()
            result('SUCCESS')
            description('Skipped: nobody has chosen a date.')
            untouched()
        }
        scenario('a person aborts instead of answering: aborted') {
            build.answer = { 'ABORT' }
            go()
            result('ABORTED')
            steps('node sh timeout input')
            untouched()
        }
        scenario('the answer is a date that was not offered: refused') {
            build.answer = { [DATE: '2019-01-01', APPROVER: 'alice'] }
            go()
            result('FAILURE')
            logged('none of the dates that were offered')
            untouched()
        }
        scenario('the dates are offered newest first, and outside any node') {
            build.answer = { Map asked ->
                check('choices', ['2024-06-07', '2024-06-06', '2024-06-05', '2024-06-04', '2024-06-02', '2024-06-01'],
                    asked.parameters[0].choices)
                check('submitter', 'APPROVER', asked.submitterParameter)
                'NOBODY'
            }
            go()
            result('SUCCESS')
        }
        scenario('there is no date: not built, with a reason') {
            policy(world.policy.replace('"master"', '"nothing"'))
            go()
            result('NOT_BUILT')
            description('There is no release to go back to in prod.')
            steps('node sh')
            untouched()
        }
        scenario('the date is what runs now: nothing to do') {
            build.answer = { [DATE: World.TODAY, APPROVER: 'alice'] }
            go()
            result('SUCCESS')
            description("Nothing to do: prod is at $World.TODAY already.".toString())
            untouched()
        }
    }

    void refusals() {
        scenario('the plan is refused by a guard: failed, with the guard\'s words') {
            policy(world.policy + '\nguard "never" {\n  condition     = length(plan.changes) == 0\n  error_message = "Not on a Friday."\n}\n')
            go()
            result('FAILURE')
            logged('Not on a Friday.')
            logged('rollback plan: refused, nothing was changed')
            untouched()
        }
        scenario('a guard on who approves gets the submitter') {
            policy(world.policy + '\nguard "approver" {\n  condition     = operator.approved_by == "alice"\n  error_message = "Alice decides."\n}\n')
            go()
            result('SUCCESS')
            runs(AFTER)
        }
        scenario('a policy error is shown with its lines') {
            policy(world.policy.replace('address =', 'adress ='))
            go()
            result('FAILURE')
            logged('on policy.hcl line 9')
            logged('adress')
            logged('Did you mean "address"?')
            logged('rollback points: refused')
            steps('node sh')
            untouched()
        }
        scenario('there is no policy') {
            new File(build.sources, 'policy.hcl').delete()
            go()
            result('FAILURE')
            logged('policy.hcl')
            untouched()
        }
        scenario('an environment that the policy does not have is refused') {
            build.params.ENVIRONMENT = 'stage'
            policy(world.policy.replace('environment "stage"', 'environment "test"').replace('"stage"', '"test"'))
            go()
            result('FAILURE')
            logged('stage')
            untouched()
        }
    }

    void applying() {
        scenario('answered with a map: rolled back, approved by who has answered') {
            go()
            result('SUCCESS')
            description("prod is at $World.YESTERDAY, approved by alice".toString())
            runs(AFTER)
            check('the other environment', true, world.running('stage').values().every { it.endsWith('-stage') })
            steps('node sh timeout input node sh archiveArtifacts stash node unstash sh junit archiveArtifacts')
            check('tests', [passed: 4, failed: 0], build.tests.collectEntries { k, v -> [k, v.size()] })
            check('archive', ['plan.html', 'plan.txt', 'rollback.plan', 'apply.log', 'rollback.html', 'rollback.xml'] as Set,
                build.archived.collect { it - 'rollback-out/' } as Set)
            logged('# /ds/prod/shop/backend-b will be rolled back')
            logged('Apply complete! prod is at 2024-06-06')
            history([approved_by: 'alice', reason: 'checkout is broken', ticket: 'OPS-1'])
        }
        scenario('answered with a plain text: rolled back, approved by nobody in particular') {
            build.answer = { World.YESTERDAY }
            go()
            result('SUCCESS')
            description("prod is at $World.YESTERDAY".toString())
            logged('Jenkins does not say who has answered')
            runs(AFTER)
        }
        scenario('a release is broken: everything is put back, the build fails, JUnit says which app',
            ['--fail', 'frontend@11-master']) {
            go()
            result('FAILURE')
            logged('rollback apply: failed, and everything was put back')
            runs(BEFORE)
            check('the app that failed', true, build.tests.failed.any { it.contains('frontend') })
            check('archive', true, build.archived.contains('rollback-out/rollback.html'))
        }
        scenario('the build is aborted while it rolls back: everything is put back',
            ['--speed', '4', '--fail', 'frontend@11-master']) {
            build.abortWhen = 'Deploying... 12-master'
            go()
            result('ABORTED')
            runs(BEFORE)
            logged('The build was aborted; everything is put back now.')
            logged('Apply interrupted. Everything in prod is as before.')
            logged('rollback apply: interrupted')
            check('no second interruption, which would leave everything as it is', false, build.log.indexOf('Two interrupts') >= 0)
            check('junit and the report all the same', true, build.archived.contains('rollback-out/rollback.xml'))
            check('left running', [], leftovers())
        }
        scenario('the world changes between plan and apply: refused, nothing changed') {
            build.answer = { Map asked ->
                [DATE: World.YESTERDAY, APPROVER: 'alice']
            }
            // Somebody else rolls back after the plan has been made.
            go(program: standIn('''
                if [ "$1" = apply ]; then
                  "$REAL" apply --file=policy.hcl --env=prod --to=2024-06-05 --auto-approve >/dev/null 2>&1 || exit 99
                fi
                exec "$REAL" "$@"'''))
            result('FAILURE')
            logged('rollback apply: refused, nothing was changed')
            check('what somebody else has rolled back to', '10-master', world.running().frontend)
        }
    }

    void hostile() {
        scenario('quotes, blanks, newlines and $(…) in every text reach rollback as they are') {
            String name = 'a "policy" $(touch pwned) \'x\'\nof `touch pwned`.hcl'
            new File(build.sources, 'policy.hcl').delete()
            policy(world.policy + '\nvariable "one" {\n  default = env("ONE")\n}\n', name)
            build.params.REASON = "because $NASTY".toString()
            build.params.TICKET = "OPS $NASTY".toString()
            build.answer = { [DATE: World.YESTERDAY, APPROVER: "alice $NASTY".toString()] }
            build.credentials = [secret: "s3cret ' \$(touch pwned) \"word".toString(), pair: ['us"er$(touch pwned)', 'pass\' `touch pwned`']]
            File bin = new File(build.folder, 'a "bin" $(touch pwned)')
            bin.mkdirs()
            new ProcessBuilder('ln', '-s', program.path, "$bin/roll back").start().waitFor()
            go(policy: name, program: "$bin/roll back".toString(), credentials: [
                { string(credentialsId: 'secret', variable: 'ONE') },
                { usernamePassword(credentialsId: 'pair', usernameVariable: 'TWO', passwordVariable: 'THREE') },
            ])
            result('SUCCESS')
            runs(AFTER)
            history([approved_by: "alice $NASTY", reason: "because $NASTY", ticket: "OPS $NASTY"], name)
        }
        scenario('an environment with a hostile name is refused, and its name is printed harmlessly') {
            build.params.ENVIRONMENT = "prod $NASTY\u001b[31m".toString()
            go(door == 'library' ? [environments: []] : [:])
            result('FAILURE')
            check('escapes in the log', false, build.log.indexOf('\u001b') >= 0)
            untouched()
        }
        scenario('texts that look like flags are texts') {
            build.params.REASON = '--auto-approve'
            build.params.TICKET = '--reason=x'
            build.answer = { [DATE: World.YESTERDAY, APPROVER: '--override'] }
            go()
            result('SUCCESS')
            history([approved_by: '--override', reason: '--auto-approve', ticket: '--reason=x'])
        }
        scenario('a hostile name of the program is not found, and says so') {
            go(program: "no such $NASTY".toString())
            result('FAILURE')
            logged('There is no program "no such it\'s "quoted" $(touch pwned)')
            untouched()
        }
        scenario('credentials that do not exist: failed before anything runs') {
            go(credentials: [{ string(credentialsId: 'gone', variable: 'ONE') }])
            result('FAILURE')
            steps('node')
            untouched()
        }
    }

    void programs() {
        scenario('the program is missing: said in so many words') {
            build.machine.PATH = '/usr/bin:/bin'
            go()
            result('FAILURE')
            logged('There is no program "rollback" on this agent.')
            logged('rollback points: the program is missing on this agent')
            untouched()
        }
        scenario('the program is too old: refused before it is asked anything') {
            go(program: standIn('if [ "$1" = version ]; then echo "rollback 0.0.9-rc.1"; else exit 64; fi'))
            result('FAILURE')
            logged('The program is rollback 0.0.9-rc.1; this pipeline needs 0.1.0 or newer.')
            untouched()
        }
        [4: 'A PERSON IS NEEDED', 5: 'somebody else', 130: 'interrupted', 42: 'ended with exit code 42'].each { int code, String said ->
            scenario("apply ends with $code: failed, and said") {
                go(program: standIn('if [ "$1" = apply ]; then exit ' + code + '; fi\nexec "$REAL" "$@"'))
                result('FAILURE')
                logged("rollback apply: ")
                logged(said)
            }
        }
        scenario('rollback is killed: failed, and what to do is said') {
            go(program: standIn('if [ "$1" = apply ]; then kill -9 "$$"; fi\nexec "$REAL" "$@"'))
            result('FAILURE')
            logged('killed before it was done')
        }
        scenario('rollback and what waits for it are killed: the build does not wait for ever') {
            go(program: standIn('if [ "$1" = apply ]; then kill -9 "$PPID" "$$"; fi\nexec "$REAL" "$@"'))
            result('FAILURE')
            logged('killed before it was done')
        }
    }

    /** Who asked for the last operation, and why; recorded beside the policy of the agent that has applied. */
    void history(Map want, String policy = 'policy.hcl') {
        File agent = new File(build.folder, 'agent-3/workspace')
        String said = world.run(['history', 'show', '--json', "--file=$policy".toString(), '--env=prod'], agent)
        def record = new JsonSlurper().parseText(said)
        check('history', want, want.keySet().collectEntries { [it, find(record, it)] })
    }

    private static Object find(Object node, String key) {
        if (node instanceof Map) {
            return node.containsKey(key) ? node[key] : node.values().findResult { find(it, key) }
        }
        node instanceof List ? node.findResult { find(it, key) } : null
    }

    /** Processes that apply for this build and have outlived it. */
    private List<String> leftovers() {
        new File('/proc').listFiles().findAll { it.name.isInteger() }.collect {
            try { new File(it, 'cmdline').getText('UTF-8').replace('\0', ' ') + new File(it, 'environ').getText('UTF-8') } catch (IOException ended) { '' }
        }.findAll { it.contains('rollback apply') && it.contains("$build.folder") }
    }

    static void main(String[] args) {
        Scenarios scenarios = new Scenarios(args[0], args[1], args[2], args[3], args.length > 4 ? args[4] : null)
        scenarios.all()
        println "$scenarios.door: $scenarios.passed passed, $scenarios.failed failed"
        System.exit(scenarios.failed ? 1 : 0)
    }
}
