import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const SRC = join(import.meta.dirname, '../../src')

describe('The events of the audit log (S79)', () => {
  const list = readFileSync(join(SRC, 'audit/events.ts'), 'utf8')
  const names = [...list.matchAll(/^ {2}'([a-z.-]+)': /gm)].map(([, name = '']) => name)
  const writers = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path) && !path.includes('prisma-client'))
    .filter((path) => !path.endsWith('events.ts'))
    .map((path) => readFileSync(join(SRC, path), 'utf8'))

  it('are all written by something: none is a promise that nobody keeps', () => {
    assert.ok(names.length > 60)
    assert.deepEqual(
      names.filter((name) => !writers.some((text) => text.includes(`'${name}'`))),
      [],
    )
  })

  it('have names of what it is about and what happened, so that one can look for either', () => {
    assert.deepEqual(
      names.filter((name) => !/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/.test(name)),
      [],
    )
  })
})
