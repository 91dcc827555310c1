import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newSocketFolder, socketIn } from '../../../src/keys/process/socket-folder.js'

describe('The folder of the socket to the key process', () => {
  let within: string
  /** Runs until the end of the test; it owns nothing by itself. */
  let living: ChildProcess
  /** As `newSocketFolder` names the process that called it. */
  let ours: string
  let ended: string

  before(() => {
    living = spawn('sleep', ['60'])
    const folder = mkdtempSync(join(tmpdir(), 'openrssp-socket-folder-'))
    ours = readFileSync(join(newSocketFolder(folder), 'owner'), 'utf8')
    rmSync(folder, { recursive: true })
    const [namespace, , startedAt] = ours.split(' ')
    ended = `${namespace} ${spawnSync('true').pid} ${startedAt}`
  })
  after(() => living.kill())
  beforeEach(() => {
    within = mkdtempSync(join(tmpdir(), 'openrssp-socket-folder-'))
  })
  afterEach(() => rmSync(within, { recursive: true, force: true }))

  /** As a process leaves it that was killed; null: before it said whose it is. */
  function folderOf(owner: string | null, name = 'left'): string {
    const folder = join(within, `openrssp-keys-${name}`)
    mkdirSync(folder, { mode: 0o700 })
    if (owner !== null) writeFileSync(join(folder, 'owner'), owner)
    writeFileSync(socketIn(folder), '')
    return folder
  }

  it('is its owner’s alone', () => {
    const folder = newSocketFolder(within)
    assert.equal(statSync(folder).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(folder), ['owner'])
  })

  it('goes with the next one when its owner was killed', async () => {
    const left = folderOf(ended)
    rmSync(socketIn(left))
    const server = createServer().listen(socketIn(left))
    await new Promise((resolve) => server.once('listening', resolve))
    const next = newSocketFolder(within)
    assert.deepEqual([existsSync(left), existsSync(next)], [false, true])
    server.close()
  })

  it('goes, too, when somebody else has the number of its owner now', () => {
    const [namespace] = ours.split(' ')
    const left = folderOf(`${namespace} ${living.pid} 1`)
    newSocketFolder(within)
    assert.ok(!existsSync(left))
  })

  it('stays while its owner lives', () => {
    const first = newSocketFolder(within)
    newSocketFolder(within)
    assert.ok(existsSync(join(first, 'owner')))
  })

  const kept: [string, () => string][] = [
    ['nobody says whose it is', () => folderOf(null)],
    [
      'its owner is no process that can be seen here',
      () => folderOf(ended.replace(/^\S+/, 'pid:[1]')),
    ],
    ['what stands there names no process', () => folderOf(ended.replace(/ \d+ /, ' -1 '))],
    [
      'others may write into it',
      () => {
        const folder = folderOf(ended)
        chmodSync(folder, 0o770)
        return folder
      },
    ],
    [
      'it holds something else',
      () => {
        const folder = folderOf(ended)
        writeFileSync(join(folder, 'document'), '')
        return join(folder, 'document')
      },
    ],
  ]
  for (const [when, make] of kept) {
    it(`stays when ${when}`, () => {
      const path = make()
      newSocketFolder(within)
      assert.ok(existsSync(path))
    })
  }

  it('is not followed to where a link with its name leads', () => {
    const elsewhere = folderOf(ended, 'real').replace('openrssp-keys-real', 'elsewhere')
    mkdirSync(elsewhere, { mode: 0o700 })
    writeFileSync(join(elsewhere, 'owner'), ended)
    writeFileSync(socketIn(elsewhere), '')
    symlinkSync(elsewhere, join(within, 'openrssp-keys-link'))
    newSocketFolder(within)
    assert.deepEqual(readdirSync(elsewhere).sort(), ['owner', 'socket'])
  })

  it('of another user stays', function () {
    if (process.getuid?.() !== 0) this.skip()
    const folder = folderOf(ended)
    spawnSync('chown', ['-R', '65534', folder])
    newSocketFolder(within)
    assert.ok(existsSync(join(folder, 'owner')))
  })
})
