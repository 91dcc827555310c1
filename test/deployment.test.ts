import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { checkConfig } from '../src/config/load.js'
import type { Config } from '../src/config/schema.js'
import { Secrets } from '../src/config/secrets.js'
import { largestBody } from '../src/http/overload.js'
import { Installation, Running } from './commands/openrssp.js'
import { builtProgram } from './support/program.js'

const ROOT = join(import.meta.dirname, '..')
const FOLDER = join(ROOT, 'docs/deployment')
/** What stopping takes at most beside `listen.leaveSeconds`: requests, closing, the key process. */
const STOP_SECONDS = 20 + 25 + 20

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the tests assert what it is
const kubernetes = (kind: string): any =>
  parseAllDocuments(read('kubernetes.yaml'))
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
    .map((document): any => document.toJS())
    .find((each) => each.kind === kind)

describe('The deployment files', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'openrssp-deployment-'))
    Secrets.create(join(folder, 'secrets.key'))
    writeFileSync(join(folder, 'hsm.pin'), '648219', { mode: 0o600 })
  })
  after(() => {
    rmSync(folder, { recursive: true, force: true })
  })

  /** Checks a configuration as in production; what it names is in `folder`. */
  function checked(text: string): Config {
    const settings = JSON.parse(text) as { hsm: object }
    return checkConfig(
      {
        ...settings,
        ...{ secretsFile: 'secrets.key', auditHeadFile: 'audit-head' },
        hsm: { ...settings.hsm, module: 'hsm.pin', pinFile: 'hsm.pin' },
      },
      folder,
      { NODE_ENV: 'production' },
    )
  }

  it('hold configurations that are taken in production', () => {
    const configurations = [read('openrssp.json'), kubernetes('ConfigMap').data['openrssp.json']]
    for (const text of configurations as string[]) {
      const { database, proxy } = checked(text)
      assert.match(database, /^postgresql:/)
      assert.ok(proxy.trusted && proxy.addresses?.length)
    }
  })

  it('name the same replicas for compose and for nginx, three, and let them end in peace', () => {
    const { services, networks } = parse(read('compose.yaml'), { merge: true })
    const names = Object.keys(services).filter((name) => name.startsWith('openrssp'))
    const upstream = [...read('nginx.conf').matchAll(/^ +server ([\w-]+):8700 /gm)]
    assert.deepEqual(
      upstream.map(([, name]) => name),
      names,
    )
    assert.equal(names.length, 3)
    const { listen } = checked(read('openrssp.json'))
    for (const name of names) {
      assert.ok(
        Number.parseInt(services[name].stop_grace_period) >= listen.leaveSeconds + STOP_SECONDS,
      )
      assert.equal(services[name].ports, undefined)
    }
    // nginx looks names up once: a replica that is made anew has to be where the old one was.
    const addresses = names.map((name) => services[name].networks.inside.ipv4_address as string)
    assert.equal(new Set(addresses).size, 3)
    for (const address of addresses) assert.match(address, /^172\.30\.0\.([1-9]|[1-9]\d)$/)
    assert.deepEqual(networks.inside.ipam.config, [
      { subnet: '172.30.0.0/24', ip_range: '172.30.0.128/25' },
    ])
    // nginx has to give up idle connections first.
    const [, seconds] = /^ +keepalive_timeout (\d+)s;/m.exec(read('nginx.conf')) ?? []
    assert.ok(Number(seconds) < listen.keepAliveSeconds)
  })

  it('let documents through that the server takes', () => {
    const inFront = {
      'openrssp.json': /^ +client_max_body_size (\d+)m;/m.exec(read('nginx.conf'))?.[1],
      'kubernetes.yaml': /proxy-body-size: (\d+)m$/m.exec(read('kubernetes.yaml'))?.[1],
    }
    const { limits } = checked(read('openrssp.json'))
    const other = checked(kubernetes('ConfigMap').data['openrssp.json']).limits
    assert.deepEqual(limits, other)
    const most = largestBody({ takesDocuments: true }, limits)
    for (const [file, megabytes] of Object.entries(inFront)) {
      assert.ok(Number(megabytes) * 1024 * 1024 >= most, file)
    }
  })

  it('bind nothing to a replica, and take none away before another one serves', () => {
    const { spec } = kubernetes('Deployment')
    assert.equal(spec.replicas, 3)
    assert.deepEqual(spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
    assert.equal(kubernetes('Service').spec.sessionAffinity, 'None')
    assert.equal(kubernetes('PodDisruptionBudget').spec.minAvailable, 2)
    const [container] = spec.template.spec.containers
    assert.equal(container.readinessProbe.httpGet.path, '/health/ready')
    assert.equal(container.livenessProbe.httpGet.path, '/health/live')
    const { listen } = checked(kubernetes('ConfigMap').data['openrssp.json'])
    const { periodSeconds, failureThreshold } = container.readinessProbe
    assert.ok(listen.leaveSeconds > periodSeconds * failureThreshold, 'gone before that is noticed')
    assert.ok(
      spec.template.spec.terminationGracePeriodSeconds >= listen.leaveSeconds + STOP_SECONDS,
    )
    assert.doesNotMatch(read('nginx.conf'), /ip_hash|sticky|^\s*hash /m)
  })

  it('run as nobody in particular, with nothing they do not need (S111)', () => {
    const { spec } = kubernetes('Deployment').spec.template
    assert.equal(spec.securityContext.runAsNonRoot, true)
    for (const each of [...spec.containers, ...spec.initContainers]) {
      assert.deepEqual(each.securityContext.capabilities, { drop: ['ALL'] })
      assert.equal(each.securityContext.readOnlyRootFilesystem, true)
    }
    const { services } = parse(read('compose.yaml'), { merge: true })
    for (const name of ['openrssp-1', 'token']) {
      assert.deepEqual(services[name].cap_drop, ['ALL'])
      assert.equal(services[name].read_only, true)
    }
    assert.match(read('Dockerfile'), /^USER 10001:10001$/m)
    // A volume takes the owner of the folder it is put over.
    assert.match(read('Dockerfile'), /install --directory --owner 10001 .* \/var\/lib\/openrssp /)
    assert.match(read('openrssp.service'), /^User=openrssp$/m)
    assert.doesNotMatch(
      read('openrssp.json') + read('kubernetes.yaml'),
      /postgres(ql)?:\/\/\w+:[^@\s]+@/,
    )
  })

  it('are units that systemd takes', function () {
    const [, stop] = /^TimeoutStopSec=(\d+)$/m.exec(read('openrssp.service')) ?? []
    assert.ok(Number(stop) >= STOP_SECONDS)
    // A wrong PIN must not be tried again and again (S93).
    assert.match(read('openrssp.service'), /^RestartPreventExitStatus=78$/m)
    // Whoever hangs is to be noticed, and whoever is busy to be left alone.
    const [, silence] = /^WatchdogSec=(\d+)$/m.exec(read('openrssp.service')) ?? []
    assert.ok(Number(silence) >= 30)
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) this.skip()
    for (const name of ['openrssp.service', 'openrssp.socket']) {
      const text = read(name).replace('/usr/bin/node', process.execPath)
      writeFileSync(join(folder, name), text)
    }
    const { stderr } = spawnSync('systemd-analyze', ['verify', 'openrssp.service'], {
      cwd: folder,
      encoding: 'utf8',
    })
    const ours = stderr.split('\n').filter((line) => line.includes('openrssp.'))
    assert.deepEqual(ours, [])
  })

  it('copy all into the image that serving needs', async () => {
    builtProgram()
    const [, image = ''] = read('Dockerfile').split(/^FROM .*-slim$/m)
    const copies = [...image.matchAll(/^COPY --from=build \/build\/(\S+) (\S+)$/gm)]
    assert.ok(copies.length > 5)
    const target = join(folder, 'image')
    for (const [, from = '', to = ''] of copies) {
      mkdirSync(dirname(join(target, to)), { recursive: true })
      // Too large to copy, and the same anywhere.
      if (from === 'node_modules') symlinkSync(join(ROOT, from), join(target, to))
      else cpSync(join(ROOT, from), join(target, to), { recursive: true })
    }
    const installation = await Installation.make()
    const program = [join(target, 'scripts/openrssp.js')]
    const server = new Running(['serve', '--config', installation.configFile], {
      program,
      cwd: target,
    })
    try {
      await server.saying('"msg":"serving"')
      const get = (path: string) => fetch(`${installation.baseUrl}${path}`)
      for (const path of ['/health/ready', '/reference', '/openapi.json', '/assets/pages.css']) {
        assert.equal((await get(path)).status, 200, path)
      }
    } finally {
      assert.equal((await server.stop()).code, 0)
      installation.remove()
    }
  })

  it('have an image without tools to build with, and a check of its health', () => {
    const stages = read('Dockerfile').split(/^FROM /m)
    const image = stages.at(-1) ?? ''
    assert.match(image, /^node:\$\{NODE\}-slim$/m)
    assert.doesNotMatch(image, /build-essential|g\+\+|python3|npm (ci|install)/)
    const [, check = '[]'] = /^HEALTHCHECK [^[]*(\[.*\])$/m.exec(image.replaceAll('\\\n', '')) ?? []
    const [node, ...args] = JSON.parse(check.replace('CMD ', '')) as string[]
    assert.equal(node, 'node')
    // Nothing listens there for us.
    const script = (args[1] ?? '').replace(':8700', ':9')
    assert.throws(() => execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' }))
  })
})
