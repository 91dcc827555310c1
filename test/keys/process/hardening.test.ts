import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const MODULE = join(import.meta.dirname, '../../../src/keys/process/hardening.ts')

/** Runs the text in a process of its own, after what is tested was imported. */
function run(text: string, as: { uid?: number; gid?: number } = {}) {
  const code = `import { endWhenStuck, keepMemoryPrivate } from ${JSON.stringify(MODULE)}\n${text}`
  const options = ['--import', 'tsx', '--input-type=module', '--eval', code]
  return spawnSync(process.execPath, options, { encoding: 'utf8', timeout: 120_000, ...as })
}

describe('A process that holds the PIN', () => {
  it('is ended by the kernel when it stands still', () => {
    const { signal } = run('endWhenStuck(1); for (;;);')
    assert.equal(signal, 'SIGALRM')
  })

  it('is not while it moves, and can end by itself', () => {
    const { status, signal } = run('endWhenStuck(2); setTimeout(() => process.exit(7), 2500)')
    assert.deepEqual({ status, signal }, { status: 7, signal: null })
  })

  it('belongs to root alone where other processes look into it', function () {
    if (process.platform !== 'linux') this.skip()
    // Not "dumpable" is what the kernel asks before it lets anybody attach, too (proc(5)).
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    const owner = "console.log((await import('node:fs')).statSync('/proc/self/mem').uid)"
    const { stdout } = run(`${owner}; keepMemoryPrivate(); ${owner}`, nobody)
    const [before, after] = stdout.trim().split('\n')
    assert.notEqual(before, '0')
    assert.equal(after, '0')
  })
})
