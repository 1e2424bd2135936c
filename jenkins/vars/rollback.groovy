// The shared-library step `rollback`: takes an environment back to an earlier release, as the Jenkinsfile beside this
// folder does. vars/rollback.txt says what may be given.
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

void call(Map given = [:]) {
    Map job = rollbackJob(given)
    stage('Dates') {
        node(job.label) {
            rollbackSources(job)
            rollbackPoints(job)
        }
    }
    if (!job.points) {
        return
    }
    stage('Choose') {
        rollbackChoose(job)
    }
    if (!job.date) {
        return
    }
    stage('Plan') {
        node(job.label) {
            rollbackSources(job)
            rollbackPlan(job)
        }
    }
    if (!job.changes) {
        return
    }
    stage('Roll back') {
        node(job.label) {
            rollbackSources(job)
            rollbackApply(job)
        }
    }
}

// rollbackJob checks what was given, and fills in what was not.
Map rollbackJob(Map given) {
    List known = ['environments', 'environment', 'policy', 'program', 'minimum', 'label', 'credentials', 'reason',
        'ticket', 'checkout']
    Object unknown = given.keySet().find { name -> !known.contains(name) }
    if (unknown) {
        error('rollback: there is no setting "' + unknown + '"; there are: ' + known.join(', '))
    }
    Map job = [label: '', checkout: true, policy: 'policy.hcl', environment: params.ENVIRONMENT,
        reason: params.REASON, ticket: params.TICKET] + given
    List environments = job.environments ?: []
    if (!job.environment && environments.size() == 1) {
        job.environment = environments[0]
    }
    if (!job.environment) {
        error('rollback: which environment? Give the job a choice parameter ENVIRONMENT, or say environment: \'…\'.')
    }
    if (environments && !environments.contains(job.environment)) {
        error('rollback: the environment is none of those that this job may roll back: ' + environments.join(', '))
    }
    return job
}

// rollbackSources, on a node: brings the policy, unless the node has it already.
void rollbackSources(Map job) {
    if (job.checkout) {
        checkout(scm)
    }
}

// ---- the steps: the same in Jenkinsfile and vars/rollback.groovy, letter by letter; jenkins/test compares them ----
//
// `job` says what the build is about:
//   program, policy, environment, reason, ticket, minimum   texts, may be empty
//   credentials                                              bindings for withCredentials
//   points, date, approver, changes                          what the steps below find out
//
// Texts from people reach the scripts as environment variables only, and the scripts are constants: nothing that
// somebody has typed is ever read by a shell, or by Groovy, as code.

// rollbackRun runs a script with the credentials and the job's texts in its environment; gives its exit code.
int rollbackRun(Map job, String label, String script) {
    return withCredentials(job.credentials ?: []) {
        withEnv([
            'RB_PROGRAM=' + (job.program ?: 'rollback'),
            'RB_POLICY=' + (job.policy ?: ''),
            'RB_ENVIRONMENT=' + (job.environment ?: ''),
            'RB_DATE=' + (job.date ?: ''),
            'RB_APPROVER=' + (job.approver ?: ''),
            'RB_REASON=' + (job.reason ?: ''),
            'RB_TICKET=' + (job.ticket ?: ''),
            'RB_MINIMUM=' + (job.minimum ?: '0.1.0'),
            'ROLLBACK_IN_AUTOMATION=1',
        ]) {
            sh(label: label, returnStatus: true, script: script)
        }
    }
}

// rollbackVerdict says what an exit code of rollback means; docs/cli.md has the contract.
String rollbackVerdict(int code) {
    Map verdicts = [
        1: 'refused, nothing was changed; the log above says why',
        3: 'failed, and everything was put back: every app runs what it ran before',
        4: 'failed, and A PERSON IS NEEDED: something is not as before; the log above says what runs where',
        5: 'somebody else is rolling this environment back, nothing was changed; the log above says who',
        126: 'the program on this agent is too old; the log above says which one is needed',
        127: 'the program is missing on this agent; the log above says where it was looked for',
        130: 'interrupted; the log above says what is where',
        137: 'killed before it was done; "rollback status" says how far it came, "rollback resume" takes it up',
    ]
    return verdicts[code] ?: 'ended with exit code ' + code
}

// rollbackPoints, on a node: reads the dates that one can go back to into job.points. Without one the build ends as
// NOT_BUILT: there was nothing to do, and nobody has done anything wrong.
void rollbackPoints(Map job) {
    int code = rollbackRun(job, 'Which dates can be gone back to?', '''#!/bin/sh
set -eu
rm -rf rollback-out
mkdir rollback-out
if ! command -v "$RB_PROGRAM" >/dev/null 2>&1; then
  printf 'There is no program "%s" on this agent.\\n' "$RB_PROGRAM" | tr -d '\\000-\\011\\013-\\037\\177'
  echo "PATH is $PATH"
  echo 'Copy the rollback binary to where the agents find it, or name its path as "program" in the pipeline.'
  exit 127
fi
"$RB_PROGRAM" version >rollback-out/version
have=$(awk 'NR == 1 { print $2 }' rollback-out/version)
if ! printf '%s\\n' "$have" "$RB_MINIMUM" | awk -F'[.+-]' '
  { n[NR] = $1 * 1000000 + $2 * 1000 + $3 }
  END { exit n[1] < n[2] }'; then
  printf 'The program is rollback %s; this pipeline needs %s or newer.\\n' "$have" "$RB_MINIMUM"
  exit 126
fi
exec "$RB_PROGRAM" points "--env=$RB_ENVIRONMENT" ${RB_POLICY:+"--file=$RB_POLICY"} \\
  --format=choices >rollback-out/points.txt
''')
    if (code != 0) {
        error('rollback points: ' + rollbackVerdict(code))
    }
    job.points = readFile(file: 'rollback-out/points.txt', encoding: 'UTF-8').readLines().findAll { line -> line }
    if (job.points.isEmpty()) {
        currentBuild.result = 'NOT_BUILT'
        currentBuild.description = 'There is no release to go back to in ' + job.environment + '.'
        echo(currentBuild.description)
    }
}

// rollbackChoose, outside any node, so that no executor waits for people: asks for the date, for two minutes. Sets
// job.date, and job.approver if Jenkins says who has answered. Without an answer the build ends well: nothing is done.
void rollbackChoose(Map job) {
    Object answer = null
    long begin = System.currentTimeMillis()
    try {
        timeout(time: 120, unit: 'SECONDS') {
            answer = input(
                message: 'Roll ' + job.environment + ' back to which date?',
                ok: 'Roll back',
                submitterParameter: 'APPROVER',
                parameters: [
                    choice(name: 'DATE', choices: job.points,
                        description: 'Every repo gets its release of this date, or its nearest earlier one.'),
                ]
            )
        }
    } catch (FlowInterruptedException interrupted) {
        // Why it was interrupted may be asked (getCauses) only with an administrator's approval, so the clock tells.
        // The last second counts as time-out: the clock of a machine may be set while people think.
        if (System.currentTimeMillis() - begin < 119000) {
            throw interrupted // by a person: the build is aborted
        }
    }
    // A Map with several values; with one value only that one; with old plugins null (JENKINS-40594).
    Object date = answer
    if (answer instanceof Map) { // groovylint-disable-line Instanceof
        date = answer.DATE
        job.approver = answer.APPROVER
    }
    if (date == null) {
        currentBuild.description = 'Skipped: nobody has chosen a date.'
        echo(currentBuild.description)
        return
    }
    if (!job.points.contains(date)) {
        error('The answer is none of the dates that were offered.')
    }
    job.date = date
    if (!job.approver) {
        echo('Jenkins does not say who has answered: the rollback is not approved by anybody in particular.')
    }
}

// rollbackPlan, on a node: plans, shows and archives the plan, and stashes it for the node that applies it. Sets
// job.changes: false when there is nothing to do.
void rollbackPlan(Map job) {
    int code = rollbackRun(job, 'What would change?', '''#!/bin/sh
set -eu
rm -rf rollback-out
mkdir rollback-out
code=0
"$RB_PROGRAM" plan "--env=$RB_ENVIRONMENT" ${RB_POLICY:+"--file=$RB_POLICY"} "--to=$RB_DATE" \\
  ${RB_APPROVER:+"--approved-by=$RB_APPROVER"} --detailed-exitcode \\
  --out=rollback-out/rollback.plan >rollback-out/plan.txt || code=$?
cat rollback-out/plan.txt
[ "$code" -eq 0 ] || [ "$code" -eq 2 ] || exit "$code"
"$RB_PROGRAM" show rollback-out/rollback.plan --format=html >rollback-out/plan.html
exit "$code"
''')
    if (code != 0 && code != 2) {
        error('rollback plan: ' + rollbackVerdict(code))
    }
    archiveArtifacts(artifacts: 'rollback-out/rollback.plan, rollback-out/plan.txt, rollback-out/plan.html')
    job.changes = code == 2
    if (job.changes) {
        stash(name: 'rollback-plan', includes: 'rollback-out/rollback.plan')
    } else {
        currentBuild.description = 'Nothing to do: ' + job.environment + ' is at ' + job.date + ' already.'
        echo(currentBuild.description)
    }
}

// rollbackApply, on a node: applies the plan that was archived, and nothing else.
//
// Jenkins aborts a step with SIGTERM, at which rollback puts everything back, and with SIGKILL five seconds later,
// which may be too soon. What is left then is on record, and put back by another step, on the same node.
void rollbackApply(Map job) {
    int code = 0
    unstash('rollback-plan')
    try {
        code = rollbackRun(job, 'Roll back', '''#!/bin/sh
rm -f rollback-out/rollback.html rollback-out/rollback.xml
exec "$RB_PROGRAM" apply rollback-out/rollback.plan ${RB_POLICY:+"--file=$RB_POLICY"} \\
  ${RB_APPROVER:+"--approved-by=$RB_APPROVER"} ${RB_REASON:+"--reason=$RB_REASON"} \\
  ${RB_TICKET:+"--ticket=$RB_TICKET"} \\
  --report=rollback-out/rollback.html --report=rollback-out/rollback.xml
''')
    } catch (FlowInterruptedException aborted) {
        echo('The build was aborted; what it has changed is put back now.')
        code = rollbackRun(job, 'Put everything back', '''#!/bin/sh
set -eu
code=0
"$RB_PROGRAM" resume --restore --plan=rollback-out/rollback.plan ${RB_POLICY:+"--file=$RB_POLICY"} \\
  --lock-timeout=10m --reason='The build was aborted.' \\
  --report=rollback-out/rollback.html --report=rollback-out/rollback.xml || code=$?
"$RB_PROGRAM" history "--env=$RB_ENVIRONMENT" ${RB_POLICY:+"--file=$RB_POLICY"} --limit=1
exit "$code"
''')
        echo('rollback resume: ' + (code != 1 ? rollbackVerdict(code) : 'nothing was left to put back; the table ' +
            'above says how it ended, and "rollback undo" is the way back of what is done'))
        throw aborted
    } finally {
        junit(testResults: 'rollback-out/rollback.xml', allowEmptyResults: true)
        archiveArtifacts(allowEmptyArchive: true, artifacts: 'rollback-out/rollback.html, rollback-out/rollback.xml')
    }
    if (code != 0) {
        currentBuild.description = job.environment + ' to ' + job.date + ': ' + rollbackVerdict(code)
        error('rollback apply: ' + rollbackVerdict(code))
    }
    currentBuild.description = job.environment + ' is at ' + job.date +
        (job.approver ? ', approved by ' + job.approver : '')
}
