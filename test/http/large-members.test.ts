import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { MalformedRequestError } from '../../src/errors.js'
import { parseJsonObject } from '../../src/http/json-body.js'
import { jsonInPieces } from '../../src/http/json-pieces.js'
import { LARGE, LargeMember, withoutLargeMembers } from '../../src/http/large-members.js'

/** Three pieces and some of a fourth. */
const content = randomBytes(150_001)
const base64 = content.toString('base64')
const digits = base64.replaceAll('=', '')

async function read(json: string) {
  const body = Buffer.from(json)
  const light = await withoutLargeMembers(body)
  return { body, value: parseJsonObject(light.json.toString(), light.members) }
}

async function readDocument(text: string): Promise<Buffer | null | undefined> {
  const { value } = await read(`{"documents":[{"document":${text}}]}`)
  const [item] = value['documents'] as readonly { document: unknown }[]
  return item?.document instanceof LargeMember ? item.document.bytes : undefined
}

describe('Large members of a body', () => {
  it('are decoded in the memory of the body, what is around them is as ever', async () => {
    const json = JSON.stringify({ a: 'b', documents: [{ document: base64, label: 'ä' }], c: [1] })
    const { body, value } = await read(json)
    const [{ document, ...item } = { document: null }] = value['documents'] as never[]
    assert.deepEqual(
      { ...value, documents: [item] },
      { a: 'b', documents: [{ label: 'ä' }], c: [1] },
    )
    assert.ok((document as unknown) instanceof LargeMember)
    const { bytes, length } = document as unknown as LargeMember
    assert.equal(length, base64.length)
    assert.deepEqual(bytes, content)
    assert.equal(bytes?.buffer, body.buffer)
  })

  it('are told from each other', async () => {
    const items = [content, randomBytes(200_000), randomBytes(70_000)]
    const documents = items.map((each) => ({ document: each.toString('base64') }))
    const { value } = await read(JSON.stringify({ documents }))
    const found = value['documents'] as { document: LargeMember }[]
    assert.ok(found.every(({ document }, index) => document.bytes?.equals(items[index] ?? content)))
  })

  const spellings: [string, string][] = [
    ['padded', base64],
    ['not padded', digits],
    ['in the URL alphabet', content.toString('base64url')],
    ['with slashes escaped', base64.replaceAll('/', '\\/')],
    ['with plus signs escaped', base64.replaceAll('+', '\\u002B').replaceAll('/', '\\u002f')],
    ['with everything escaped', Array.from(base64, escape).join('')],
  ]
  for (const [what, text] of spellings) {
    it(`are taken ${what}`, async () => {
      assert.ok((await readDocument(`"${text}"`))?.equals(content))
    })
  }

  it('are what a parser would make of them, wherever escapes are', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(base64.length - 1), { maxLength: 40 }),
        fc.integer({ min: LARGE, max: base64.length }),
        async (places, length) => {
          const escaped = new Set(places)
          const characters = Array.from(digits.slice(0, length))
          const text = characters
            .map((each, at) => (escaped.has(at) ? escape(each) : each))
            .join('')
          const found = await readDocument(`"${text}"`)
          if (length % 4 === 1) assert.equal(found, null)
          else assert.ok(found?.equals(Buffer.from(characters.join(''), 'base64')))
        },
      ),
      { numRuns: 40 },
    )
  })

  const noBase64: [string, string][] = [
    ['another character at its beginning', `*${digits}`],
    ['another character at its end', `${digits.slice(0, -1)}*`],
    ['a space in it', `${digits.slice(0, 99_999)} ${digits.slice(100_000)}`],
    ['padding between pieces', `${'A'.repeat(65_535)}=${digits}`],
    ['padding in the middle', `${digits.slice(0, 70_000)}==${digits.slice(70_002)}`],
    ['one digit too many', `${'A'.repeat(100_001)}`],
    ['too much padding', `${'A'.repeat(100_000)}===`],
    ['an escape of something else', `${digits.slice(0, 70_000)}\\n${digits.slice(70_002)}`],
    ['an escape that is none', `${digits.slice(0, 70_000)}\\x${digits.slice(70_002)}`],
    ['bytes beyond ASCII', `${digits.slice(0, 70_000)}é${digits.slice(70_000)}`],
  ]
  for (const [what, text] of noBase64) {
    it(`are no document with ${what}`, async () => {
      assert.equal(await readDocument(`"${text}"`), null)
    })
  }

  it('are only those named document', async () => {
    for (const json of [
      `{"label":"${base64}"}`,
      `{"documents":["${base64}"]}`,
      `["document","${base64}"]`,
      `{"x":"\\"document\\":","y":"${base64}"}`,
      `{"xdocument":"${base64}"}`,
      `{"x\\"document":"${base64}"}`,
      `{"document":"${'A'.repeat(LARGE - 4)}"}`,
    ]) {
      const { members, json: left } = await withoutLargeMembers(Buffer.from(json))
      assert.equal(members.size, 0)
      assert.equal(left.toString(), json)
    }
  })

  it('can be no name for another', async () => {
    const { members } = await withoutLargeMembers(Buffer.from(`{"document":"${base64}"}`))
    const again = await withoutLargeMembers(Buffer.from(`{"document":"${base64}"}`))
    assert.equal(new Set([...members.keys(), ...again.members.keys()]).size, 2)
  })

  it('do not hide what is wrong around them', async () => {
    for (const json of [
      `{"document":"${base64}","document":"${base64}"}`,
      `{"document":"${base64}","a":1,"a":2}`,
      `{"document":"${base64}"`,
      `{"document":"${base64}`,
      `{"document":"${base64}" "${base64}"}`,
      `{"document" "${base64}"}`,
      `{"__proto__":{"document":"${base64}"}}`,
    ]) {
      await assert.rejects(read(json), MalformedRequestError)
    }
  })

  it('are not looked for among more strings than honest requests have', async () => {
    const json = JSON.stringify({ x: Array(100_001).fill('') })
    await assert.rejects(withoutLargeMembers(Buffer.from(json)), MalformedRequestError)
  })
})

describe('JSON in pieces', () => {
  it('is that of the same with Base64 for bytes, and as long as it says', async () => {
    const value = {
      ...{ text: 'ä"\\', none: null, number: 1, empty: [], no: {}, yes: true },
      bytes: [content, Buffer.alloc(0), Buffer.from('a')],
      deeper: { bytes: Buffer.alloc(48 * 1024) },
    }
    const { length, stream } = jsonInPieces(value)
    const pieces: Buffer[] = await stream.toArray()
    const sent = Buffer.concat(pieces)
    assert.equal(sent.length, length)
    assert.deepEqual(JSON.parse(sent.toString()), {
      ...value,
      bytes: [base64, '', 'YQ=='],
      deeper: { bytes: 'A'.repeat(64 * 1024) },
    })
    assert.ok(pieces.every((piece) => piece.length <= 64 * 1024))
  })
})

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
