// Executes a front door, Jenkinsfile or library, with the steps of jenkinslike/, and really runs the rollback binary
// against sandboxes. Usage: groovy -cp jenkins/test jenkins/test/Scenarios.groovy JENKINS ROLLBACK FOLDER DOOR [NAME]
import jenkinslike.Suite
import jenkinslike.World

/** What both front doors must do. */
class Scenarios extends Suite {
    /** Text that hurts wherever it is read as code. */
    public static final String NASTY = 'it\'s "quoted" $(touch pwned) `touch pwned` ${HOME} $HOME; touch pwned & \\ %s *\nnext -line'

    Scenarios(String jenkins, String program, String folder, String door, String only) {
        super(jenkins, program, folder, door, only)
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
            check('archive', ['plan.html', 'plan.txt', 'rollback.plan', 'rollback.html', 'rollback.xml'] as Set,
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
            logged('The build was aborted; what it has changed is put back now.')
            logged('Everything in prod is as before.')
            logged('rollback resume: ')
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
                build.answer = CANNED
                go(program: canned(apply: "exit $code"))
                result('FAILURE')
                logged('rollback apply: ')
                logged(said)
            }
        }
        scenario('rollback is killed: failed, and what to do is said') {
            build.answer = CANNED
            go(program: canned(apply: 'kill -9 "$$"'))
            result('FAILURE')
            logged('killed before it was done')
        }
        scenario('rollback ends before an abort reaches it: aborted, and the way back is said') {
            build.answer = CANNED
            build.abortWhen = 'at work'
            go(program: canned(apply: "trap 'echo done; exit 0' TERM; echo at work; while :; do sleep 0.1; done",
                resume: 'exit 1', history: 'echo "to prod, done"'))
            result('ABORTED')
            logged('to prod, done')
            logged('rollback resume: nothing was left to put back')
            logged('"rollback undo" is the way back')
        }
        scenario('what is left after an abort needs a person: aborted, and said') {
            build.answer = CANNED
            build.abortWhen = 'at work'
            go(program: canned(apply: 'echo at work; sleep 60', resume: 'exit 4', history: 'exit 0'))
            result('ABORTED')
            logged('rollback resume: failed, and A PERSON IS NEEDED')
        }
        ['points', 'plan'].each { String command ->
            scenario("the build is aborted during $command: nothing is applied") {
                build.answer = CANNED
                build.abortWhen = 'at work'
                go(program: canned((command): 'echo at work >&2; sleep 60'))
                result('ABORTED')
                untouched()
            }
        }
        scenario('a plan or a page that cannot be shown is not applied') {
            build.answer = CANNED
            go(program: canned(show: 'exit 1'))
            result('FAILURE')
            untouched()
        }
        if (door == 'library') {
            scenario('a setting that does not exist is named') {
                go(enviroment: 'prod')
                result('FAILURE')
                logged('rollback: there is no setting "enviroment"; there are: environments, environment, policy')
            }
            scenario('an environment that the job may not roll back is refused') {
                go(environments: ['stage'])
                result('FAILURE')
                logged('none of those that this job may roll back: stage')
                steps('')
            }
            scenario('no environment is given, and there are several') {
                build.params.ENVIRONMENT = ''
                go()
                result('FAILURE')
                logged('which environment?')
            }
            scenario('the agents are those with the label') {
                build.answer = { 'NOBODY' }
                go(label: "it's \$(touch pwned)".toString())
                result('SUCCESS')
                check('node', true, build.steps.contains("node it's \$(touch pwned)".toString()))
            }
        }
    }

    static void main(String[] args) {
        Scenarios scenarios = new Scenarios(args[0], args[1], args[2], args[3], args.length > 4 ? args[4] : null)
        scenarios.all()
        println "$scenarios.door: $scenarios.passed passed, $scenarios.failed failed"
        System.exit(scenarios.failed ? 1 : 0)
    }
}
