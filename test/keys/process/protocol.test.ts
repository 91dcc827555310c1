import assert from 'node:assert/strict'
import fc from 'fast-check'
import { HsmOutcomeUnknownError, HsmUnavailableError } from '../../../src/errors.js'
import {
  encodeFrame,
  errorOf,
  failureOf,
  FrameReader,
  isRequest,
  ProtocolError,
} from '../../../src/keys/process/protocol.js'

function readAll(reader: FrameReader, pieces: readonly Buffer[]): unknown[] {
  return pieces.flatMap((piece) => [...reader.read(piece)])
}

function header(length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}

describe('Messages between servers and the key process', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (values, cuts) => {
          const frames = values.map((value) => JSON.parse(JSON.stringify(value)) as unknown)
          const stream = Buffer.concat(frames.map((frame) => encodeFrame(frame)))
          const pieces = []
          for (let at = 0, cut = 0; at < stream.length; cut += 1) {
            const length = cuts[cut % cuts.length] ?? 1
            pieces.push(stream.subarray(at, at + length))
            at += length
          }
          assert.deepEqual(readAll(new FrameReader(1_000_000), pieces), frames)
        },
      ),
      { numRuns: 200, seed: 20261122 },
    )
  })

  it('are not taken when they are too long, before their content is collected', () => {
    const reader = new FrameReader(100)
    assert.throws(() => readAll(reader, [header(101)]), ProtocolError)
    assert.throws(() => readAll(new FrameReader(100), [header(0xffff_ffff)]), ProtocolError)
  })

  it('are not there while half of one is missing', () => {
    const frame = encodeFrame(['one'])
    assert.deepEqual(readAll(new FrameReader(100), [frame.subarray(0, -1)]), [])
    assert.deepEqual(readAll(new FrameReader(100), [frame.subarray(0, 2)]), [])
  })

  it('are not taken when they are not JSON', () => {
    const reader = new FrameReader(100)
    assert.throws(() => readAll(reader, [header(3), Buffer.from('{"a')]), ProtocolError)
    assert.throws(() => readAll(new FrameReader(100), [header(0)]), ProtocolError)
  })

  const good: unknown[] = [1, 'sign', 'key', ['ecdsa', 'sha256', null], ['AA=='], ['name', 'row']]
  it('are requests when every member is of its kind', () => {
    const others = [
      [2, 'ready'],
      [3, 'generate', 'p-256', null],
      [4, 'generate', 'p-256', 'name'],
      [5, 'bind', ['key', 'AA==', 'wrapped'], ['credential', 'person']],
      [6, 'listKeyIds'],
      [7, 'certify', 'issuer', ['ecdsa', 'sha384', null], 'AA==', 'subject'],
      [8, 'attest', 'tsa', ['ecdsa', 'sha256', null], 'timestamp', 'AA==', 'AA=='],
      [9, 'attest', 'issuer', ['ecdsa', 'sha384', null], 'crl', 'AA==', null],
    ]
    for (const request of [good, good.with(5, null), ...others]) {
      assert.ok(isRequest(request), JSON.stringify(request))
    }
  })

  const bad: Record<string, unknown> = {
    'no list': { 0: 1, 1: 'ready' },
    'no number': ['1', 'ready'],
    'a fraction': [1.5, 'ready'],
    'an unknown method': [1, 'wrap', 'key'],
    'a method of objects': [1, 'constructor'],
    'a key that is a number': good.with(2, 7),
    'an unknown scheme': good.with(3, ['ed25519', 'sha256', null]),
    'an unknown hash': good.with(3, ['ecdsa', 'sha1', null]),
    'a hash of objects': good.with(3, ['ecdsa', 'toString', null]),
    'a salt that is text': good.with(3, ['rsa-pss', 'sha256', '32']),
    'digests that are numbers': good.with(4, [1]),
    'no digests': good.with(4, null),
    'an operation without a name': good.with(5, []),
    'an operation that is an object': good.with(5, { id: 'name' }),
    'no operation': good.slice(0, 5),
    'an unknown key algorithm': [1, 'generate', 'p-192', null],
    'a key algorithm of objects': [1, 'generate', 'valueOf', null],
    'a name of a new key that is a number': [1, 'generate', 'p-256', 7],
    'a key to bind that is not wrapped': [1, 'bind', ['key', 'AA=='], ['credential', 'person']],
    'a certificate that is no text': [1, 'certify', 'issuer', good[3], 7, 'subject'],
    'a statement of no kind': [1, 'attest', 'tsa', good[3], 'letter', 'AA==', null],
    'a statement without a word': [1, 'attest', 'tsa', good[3], 'crl', null, null],
    'a certificate for nobody': [1, 'certify', 'issuer', good[3], 'AA=='],
    'an owner without a person': [1, 'bind', ['key', 'AA==', 'wrapped'], ['credential']],
  }
  for (const [what, value] of Object.entries(bad)) {
    it(`are no requests with ${what}`, () => {
      assert.equal(isRequest(value), false)
    })
  }

  it('keep what is certain about a failure, and what is not', () => {
    const known = failureOf(new HsmUnavailableError('gone'), 'outcome-unknown')
    assert.deepEqual(known, ['unavailable', 'gone'])
    assert.ok(errorOf(known[0], known[1]) instanceof HsmUnavailableError)
    const unforeseen = failureOf(new TypeError('a mistake'), 'outcome-unknown')
    assert.ok(errorOf(unforeseen[0], unforeseen[1]) instanceof HsmOutcomeUnknownError)
  })
})
