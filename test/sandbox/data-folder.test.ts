import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { markFinished, openDataFolder, type SandboxOptions } from '../../src/sandbox/data-folder.js'

describe('The data folder of a sandbox', () => {
  let options: SandboxOptions
  const at = (name: string) => join(options.dataDir, name)

  beforeEach(() => {
    const dataDir = mkdtempSync(join(tmpdir(), 'openrssp-folder-'))
    options = { dataDir, host: '127.0.0.1', port: 8700, environment: {} }
  })
  afterEach(() => {
    rmSync(options.dataDir, { recursive: true })
  })

  it('asks for a token the first time', () => {
    assert.equal(openDataFolder(options).hasToken, false)
  })

  it('is made anew when its making was interrupted, keeping nothing half done', () => {
    openDataFolder(options)
    for (const name of ['openrssp.db', 'openrssp.db.audit-head', 'tokens/half']) {
      writeFileSync(at(name), 'half done')
    }
    assert.equal(openDataFolder(options).hasToken, false)
    for (const name of ['openrssp.db', 'openrssp.db.audit-head', 'tokens/half']) {
      assert.equal(existsSync(at(name)), false, name)
    }
  })

  it('is left alone once it was finished', () => {
    openDataFolder(options)
    writeFileSync(at('openrssp.db'), 'SQLite format 3\0people')
    writeFileSync(at('tokens/key'), 'key')
    writeFileSync(at('sandbox.json'), '{}')
    markFinished(options)
    assert.equal(openDataFolder(options).hasToken, true)
    assert.ok(existsSync(at('openrssp.db')) && existsSync(at('tokens/key')))
  })
})
