// Checks the workflows of examples/ci and really runs their commands against sandboxes of rollback.
// Usage: node ci.mjs EXAMPLES ROLLBACK FOLDER; NODE_PATH's first folder has the package yaml.
import { spawn, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const { parseDocument } = createRequire(path.join(process.env.NODE_PATH, 'x'))('yaml')
const [examples, program, folder] = process.argv.slice(2).map(each => path.resolve(each))
const yesterday = '2024-06-06'
const before = 'backend-a:12-master backend-b:11-master backend-c:11-master frontend:12-master'
const after = 'backend-a:11-master backend-b:10-master backend-c:10-master frontend:11-master'
const nasty = 'it\'s "quoted" $(touch pwned) `touch pwned`; touch pwned & \\ %s *\nnext ::error::line ${{ x }}'
let passed = 0
let failed = 0

/** A sandbox, and a folder with the policy as a repository would have it. */
class World {
  constructor(name, flags = []) {
    this.folder = path.join(folder, name)
    this.sandbox = path.join(this.folder, 'sandbox')
    this.log = ''
    mkdirSync(this.sandbox, { recursive: true })
    mkdirSync(path.join(this.folder, 'bin'))
    symlinkSync(program, path.join(this.folder, 'bin/rollback'))
    this.rollback('sandbox', 'up', '--today', '2024-06-07', '--speed', '30', ...flags)
    this.policy = readFileSync(path.join(this.sandbox, '.rollback-sandbox/policy.hcl'), 'utf8')
  }

  rollback(...args) {
    const ran = spawnSync(program, args, { cwd: this.sandbox, encoding: 'utf8' })
    if (ran.status !== 0) throw new Error(`rollback ${args}: ${ran.stderr}`)
    return ran.stdout
  }

  /** What the apps of prod run, as one line. */
  async running() {
    const marathon = this.policy.match(/url = "(http:[^"]*)"/)[1]
    const { apps } = await (await fetch(`${marathon}/v2/apps`)).json()
    return apps.filter(app => app.id.startsWith('/ds/prod/'))
      .map(app => app.id.split('/').pop() + ':' + app.container.docker.image.split('@')[0].split(':').pop()).sort().join(' ')
  }

  /** A workspace of a runner that nobody has used before. */
  workspace(name) {
    const place = path.join(this.folder, name)
    mkdirSync(place)
    writeFileSync(path.join(place, 'policy.hcl'), this.policy)
    return place
  }

  /** Runs a script as a runner does; `cancel` cancels it when its output contains `cancel.when`. Gives its exit code. */
  shell(command, script, cwd, env, cancel) {
    const file = path.join(this.folder, `script-${this.scripts = (this.scripts ?? 0) + 1}.sh`)
    writeFileSync(file, script)
    return new Promise((resolve) => {
      const child = spawn(command[0], [...command.slice(1), file], {
        cwd, env: { PATH: `${this.folder}/bin:/usr/bin:/bin`, HOME: this.folder, USER: 'runner', CI: 'true', ...env },
        stdio: ['ignore', 'pipe', 'pipe'], detached: true,
      })
      let said = ''
      const hear = (data) => {
        said += data
        this.log += data
        if (cancel && !cancel.done && said.includes(cancel.when)) {
          cancel.done = true
          cancel.how(child)
        }
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('exit', (code, signal) => resolve(code ?? signal))
    })
  }

  down() { this.rollback('sandbox', 'down') }
}

function check(what, want, got) {
  if (want !== got) throw new Error(`${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`)
}

function contains(what, text, part) {
  if (!text.includes(part)) throw new Error(`${what}: ${JSON.stringify(part)} is not there`)
}

async function test(name, flags, body) {
  const world = flags && new World(`${passed + failed}`, flags)
  try {
    await body(world)
    if (world) check('evaluated', false, readdirSync(world.folder, { recursive: true }).some(each => path.basename(each) === 'pwned'))
    passed++
    console.log(`  ok   ${name}`)
  } catch (error) {
    failed++
    console.log(`  FAIL ${name}\n      ${error.message}\n${(world?.log ?? '').replace(/^/gm, '      | ')}`)
  } finally {
    world?.down()
  }
}

function parse(name) {
  const document = parseDocument(readFileSync(path.join(examples, name), 'utf8'), { strict: true, uniqueKeys: true })
  if (document.errors.length) throw document.errors[0]
  return document.toJS()
}

function parses(script) {
  const ran = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })
  check('bash -n', '', ran.stderr)
}

// ---- GitHub Actions

/** Replaces the expressions of a value by what they stand for; an unknown one is an error. */
function expand(text, known) {
  return String(text).replace(/\$\{\{ *([^ ]+) *\}\}/g, (all, name) => {
    if (!(name in known)) throw new Error(`unknown expression ${all}`)
    return known[name]
  })
}

function expandAll(object, known) {
  return Object.fromEntries(Object.entries(object ?? {}).map(([name, value]) => [name, expand(value, known)]))
}

/** Runs a workflow: jobs in order, each in a workspace of its own; uploaded files are kept. Gives how the jobs ended. */
async function github(world, inputs, cancel) {
  const workflow = parse('github-actions.yml')
  const known = { 'github.actor': inputs.actor ?? 'octocat', 'secrets.SLACK_CALLBACK': 's3cret' }
  for (const [name, input] of Object.entries(workflow.on.workflow_dispatch.inputs)) {
    known[`inputs.${name}`] = inputs[name] ?? input.default ?? ''
  }
  const ended = {}
  const artifacts = path.join(world.folder, 'artifacts')
  for (const [id, job] of Object.entries(workflow.jobs)) {
    if (job.needs && ended[job.needs] !== 'success') continue
    if (job.if && known['needs.plan.outputs.changes'] !== 'true') continue
    const cwd = world.workspace(id)
    let state = 'success'
    for (const step of job.steps) {
      const wanted = step.if === 'always()' || (step.if === 'cancelled()' ? state === 'cancelled' : state === 'success')
      if (!wanted) continue
      if (step.uses) {
        const files = String(step.with?.path ?? '').trim().split('\n')
        if (step.uses === 'actions/upload-artifact@v4') {
          for (const file of files) {
            cpSync(path.join(cwd, file), path.join(artifacts, step.with.name, path.basename(file)))
          }
        } else if (step.uses === 'actions/download-artifact@v4') {
          cpSync(path.join(artifacts, step.with.name), path.join(cwd, step.with.path), { recursive: true })
        } else {
          check('action', 'actions/checkout@v4', step.uses)
        }
        continue
      }
      const files = Object.fromEntries(['GITHUB_OUTPUT', 'GITHUB_STEP_SUMMARY'].map(name => [name, path.join(world.folder, name)]))
      for (const file of Object.values(files)) if (!existsSync(file)) writeFileSync(file, '')
      const env = { ...expandAll(workflow.env, known), ...expandAll(step.env, known), ...files, RUNNER_TRACKING_ID: 'github_1' }
      const code = await world.shell(['bash', '-e'], step.run, cwd, env, cancel)
      if (cancel?.done && state === 'success') state = 'cancelled'
      else if (code !== 0 && state === 'success') state = 'failure'
      for (const line of readFileSync(files.GITHUB_OUTPUT, 'utf8').split('\n').filter(Boolean)) {
        const [name, value] = line.split('=')
        known[`steps.${step.id}.outputs.${name}`] = known[`needs.${id}.outputs.${name}`] = value
      }
    }
    ended[id] = state
  }
  return { ...ended, artifacts, summary: readFileSync(path.join(world.folder, 'GITHUB_STEP_SUMMARY'), 'utf8') }
}

/** Cancels as GitHub's runner does, only less patiently: SIGINT, SIGTERM, SIGKILL, each to the step's shell. */
const cancelGithub = {
  when: 'Deploying... 12-master',
  how(child) {
    child.kill('SIGINT')
    setTimeout(() => child.kill('SIGTERM'), 100)
    setTimeout(() => child.kill('SIGKILL'), 200)
  },
}

await test('GitHub: no script has an expression, and each is a script', null, () => {
  const workflow = parse('github-actions.yml')
  for (const job of Object.values(workflow.jobs)) {
    for (const step of job.steps.filter(each => each.run)) {
      check('expressions', false, step.run.includes('${{'))
      parses(step.run)
    }
  }
})
await test('GitHub: the least rights, one rollback of an environment at a time, never cut off', null, () => {
  const workflow = parse('github-actions.yml')
  check('permissions', '{"contents":"read"}', JSON.stringify(workflow.permissions))
  check('cancel-in-progress', false, workflow.concurrency['cancel-in-progress'])
  contains('group', workflow.concurrency.group, 'inputs.environment')
  contains('environment', workflow.jobs.apply.environment, 'inputs.environment')
})
await test('GitHub: planned, approved, rolled back', [], async (world) => {
  const got = await github(world, { environment: 'prod', to: yesterday, reason: 'broken' })
  check('plan', 'success', got.plan)
  check('apply', 'success', got.apply)
  check('prod', after, await world.running())
  contains('summary', got.summary, 'frontend')
  contains('JUnit', readFileSync(path.join(got.artifacts, 'rollback-report/rollback.xml'), 'utf8'), 'approved by" value="octocat"')
})
await test('GitHub: nothing to do', [], async (world) => {
  const got = await github(world, { environment: 'prod', to: '2024-06-07' })
  check('plan', 'success', got.plan)
  check('apply', undefined, got.apply)
})
await test('GitHub: a date that does not exist is refused, with its neighbours', [], async (world) => {
  const got = await github(world, { environment: 'prod', to: '2019-01-01' })
  check('plan', 'failure', got.plan)
  contains('log', world.log, '2024-06-01')
  check('prod', before, await world.running())
})
await test('GitHub: hostile texts are only texts', [], async (world) => {
  const got = await github(world, { environment: 'prod', to: yesterday, reason: nasty, ticket: nasty, actor: nasty })
  check('apply', 'success', got.apply)
})
for (const [name, input] of [['to', nasty], ['environment', nasty]]) {
  await test(`GitHub: a hostile ${name} is refused`, [], async (world) => {
    const got = await github(world, { environment: 'prod', to: yesterday, [name]: input })
    check('plan', 'failure', got.plan)
    check('prod', before, await world.running())
  })
}
await test('GitHub: a release is broken: everything is put back', ['--fail', 'frontend@11-master'], async (world) => {
  const got = await github(world, { environment: 'prod', to: yesterday })
  check('apply', 'failure', got.apply)
  check('prod', before, await world.running())
  contains('JUnit', readFileSync(path.join(got.artifacts, 'rollback-report/rollback.xml'), 'utf8'), '<failure')
})
await test('GitHub: cancelled while it rolls back: everything is put back',
  ['--speed', '4', '--fail', 'frontend@11-master'], async (world) => {
    const got = await github(world, { environment: 'prod', to: yesterday }, { ...cancelGithub })
    check('apply', 'cancelled', got.apply)
    check('prod', before, await world.running())
    contains('log', world.log, 'Everything in prod is as before.')
  })

// ---- GitLab

/** Runs the pipeline: rollback-plan, the button, rollback-apply. Gives the jobs' exit codes. */
async function gitlab(world, variables, cancel) {
  const file = parse('gitlab-ci.yml')
  const known = {}
  for (const [name, value] of Object.entries(file.variables)) known[name] = String(value?.value ?? value)
  Object.assign(known, variables, { GITLAB_USER_LOGIN: variables.GITLAB_USER_LOGIN ?? 'tanuki' })
  const codes = {}
  let kept
  for (const name of ['rollback-plan', 'rollback-apply']) {
    const job = file[name]
    const cwd = world.workspace(name)
    if (kept) cpSync(kept, cwd, { recursive: true })
    const shell = ['bash', '-e', '-o', 'pipefail']
    codes[name] = await world.shell(shell, job.script.join('\n'), cwd, { ...known, ...job.variables }, cancel)
    if (job.after_script) await world.shell(shell, job.after_script.join('\n'), cwd, { ...known, ...job.variables })
    kept = path.join(world.folder, `kept-${name}`)
    for (const each of [...job.artifacts.paths, job.artifacts.reports.junit]) {
      if (existsSync(path.join(cwd, each))) cpSync(path.join(cwd, each), path.join(kept, each))
      else if (codes[name] === 0) throw new Error(`${name}: the artifact ${each} is not there`)
    }
    if (codes[name] !== 0) break
  }
  return { ...codes, kept }
}

await test('GitLab: each script is a script; one rollback of an environment at a time, started by a person', null, () => {
  const file = parse('gitlab-ci.yml')
  for (const name of ['rollback-plan', 'rollback-apply']) {
    for (const script of [...file[name].script, ...(file[name].after_script ?? [])]) parses(script)
  }
  check('when', 'manual', file['rollback-apply'].when)
  check('resource_group', 'rollback-$RB_ENVIRONMENT', file['rollback-apply'].resource_group)
})
await test('GitLab: planned, started by hand, rolled back', [], async (world) => {
  const got = await gitlab(world, { RB_ENVIRONMENT: 'prod', RB_TO: yesterday, RB_REASON: nasty, GITLAB_USER_LOGIN: nasty })
  check('plan', 0, got['rollback-plan'])
  check('apply', 0, got['rollback-apply'])
  check('prod', after, await world.running())
})
await test('GitLab: hostile environment: refused', [], async (world) => {
  check('plan', 1, (await gitlab(world, { RB_ENVIRONMENT: nasty, RB_TO: yesterday }))['rollback-plan'])
})
await test('GitLab: a release is broken: everything is put back', ['--fail', 'frontend@11-master'], async (world) => {
  const got = await gitlab(world, { RB_ENVIRONMENT: 'prod', RB_TO: yesterday })
  check('apply', 3, got['rollback-apply'])
  check('prod', before, await world.running())
  contains('JUnit', readFileSync(path.join(got.kept, 'rollback-out/rollback.xml'), 'utf8'), '<failure')
})
await test('GitLab: cancelled while it rolls back: everything is put back',
  ['--speed', '4', '--fail', 'frontend@11-master'], async (world) => {
    // GitLab's runner signals the job's process group; SIGKILL comes at once here.
    const cancel = { when: 'Deploying... 12-master', how: child => process.kill(-child.pid, 'SIGKILL') }
    const got = await gitlab(world, { RB_ENVIRONMENT: 'prod', RB_TO: yesterday }, cancel)
    world.junit = readFileSync(path.join(got.kept, 'rollback-out/rollback.xml'), 'utf8')
    check('prod', before, await world.running())
    contains('log', world.log, 'was broken off after')
    contains('log', world.log, 'Everything in prod is as before.')
    contains('JUnit', world.junit, '<failure')
  })

console.log(`workflows: ${passed} passed, ${failed} failed`)
process.exit(failed ? 1 : 0)
