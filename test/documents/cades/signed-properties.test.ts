import { strict as assert } from 'node:assert'
import { createHash } from 'node:crypto'
import * as asn1js from 'asn1js'
import type { SignedProperty } from '../../../src/documents/ades.js'
import {
  propertyAttributes,
  unfitProperties,
} from '../../../src/documents/cades/signed-properties.js'
import { UnfitSignedPropertiesError } from '../../../src/errors.js'
import { HASH_ALGORITHMS } from '../../../src/keys/algorithms.js'
import { SigningPki } from '../../support/signing-pki.js'

const DIGEST = createHash('sha256').update('I owe you ten euros.').digest()
const SUBJECT = {
  contentDigest: DIGEST,
  hash: HASH_ALGORITHMS.sha256,
  signingTime: new Date('2026-11-22T10:11:12Z'),
}

/** Name, OID, text, and the DER of the value that the text stands for. */
const TEXTS: readonly [string, string, string, string][] = [
  [
    'commitment-type-indication',
    '1.2.840.113549.1.9.16.2.16',
    'proofOfApproval',
    '300d060b2a864886f70d0109100605',
  ],
  ['commitment-type-indication', '1.2.840.113549.1.9.16.2.16', '1.2.3', '300406022a03'],
  [
    'content-hints',
    '1.2.840.113549.1.9.16.2.4',
    'A bill',
    '30130c06412062696c6c06092a864886f70d010701',
  ],
  ['mime-type', '0.4.0.1733.2.1', 'text/plain', '0c0a746578742f706c61696e'],
  ['mime-type', '0.4.0.1733.2.1', 'text/csv', '0c08746578742f637376'],
  ['signer-location', '1.2.840.113549.1.9.16.2.17', 'Köln', '3009a1070c054bc3b66c6e'],
  [
    'signer-attributes-v2',
    '0.4.0.19122.1.1',
    'clerk',
    '3014a0123010300e060355042931070c05636c65726b',
  ],
  ['content-identifier', '1.2.840.113549.1.9.16.2.7', 'bill-4711', '040962696c6c2d34373131'],
]

/** Name and the DER of a value that has no text. */
const STRUCTURES: readonly [string, string][] = [
  ['signature-policy-identifier', '301a06022a033014300b060960864801650304020104050102030405'],
  ['content-reference', '300a06022a03040101040102'],
  ['signer-location', '3006a0040c024445'],
]

describe('Signed properties of CAdES', () => {
  for (const [name, oid, text, der] of TEXTS) {
    it(`takes ${name} as the text ${text}, also in Base64, as a value and as an attribute, by name and by OID`, () => {
      const value = Buffer.from(der, 'hex')
      const ofText = Buffer.from(text).toString('base64')
      const encodings = [text, ofText, value.toString('base64'), attribute(oid, value)]
      for (const sent of encodings.flatMap((one) => [property(name, one), property(oid, one)])) {
        assert.deepEqual(unfitProperties([sent]), [])
        assert.deepEqual(propertyAttributes([sent], SUBJECT), [{ type: oid, values: [value] }])
      }
    })
  }

  for (const [name, der] of STRUCTURES) {
    it(`takes ${name} as Base64 of its DER`, () => {
      const value = Buffer.from(der, 'hex')
      const [made] = propertyAttributes([property(name, value.toString('base64'))], SUBJECT)
      assert.deepEqual(made?.values, [value])
    })
  }

  it('takes a content timestamp over this content alone', async () => {
    const pki = new SigningPki()
    try {
      const token = await pki.timestamp(DIGEST, HASH_ALGORITHMS.sha256)
      const sent = [property('content-time-stamp', token.toString('base64'))]
      assert.deepEqual(propertyAttributes(sent, SUBJECT)[0]?.values, [token])
      const otherDigest = createHash('sha256').update('I owe you 10000 euros.').digest()
      assert.throws(
        () => propertyAttributes(sent, { ...SUBJECT, contentDigest: otherDigest }),
        new UnfitSignedPropertiesError(['content-time-stamp']),
      )
    } finally {
      pki.close()
    }
  })

  it('makes a content identifier of its own where none is sent, the same one each time', () => {
    const sent = [property('content-identifier', null)]
    const [one, other] = [1, 2].map(() => propertyAttributes(sent, SUBJECT))
    assert.ok(one?.[0]?.values[0])
    assert.deepEqual(one, other)
    const later = { ...SUBJECT, signingTime: new Date('2026-11-22T10:11:13Z') }
    assert.notDeepEqual(propertyAttributes(sent, later), one)
  })

  it('takes what is in every signature as asked for already', () => {
    const always = ['content-type', 'message-digest', 'signing-time', '1.2.840.113549.1.9.16.2.47']
    const sent = always.map((name) => property(name, null))
    assert.deepEqual(unfitProperties(sent), [])
    assert.deepEqual(propertyAttributes(sent, SUBJECT), [])
  })

  it('names what it does not know, what is no value, what comes twice and what lacks a value', () => {
    const commitment = Buffer.from('300406022a03', 'hex').toString('base64')
    const unfit = [
      property('Reason', 'because'),
      property('1.2.840.113549.1.9.4', Buffer.from('0420', 'hex').toString('base64')),
      property('signing-time', '2026-11-22'),
      property('certificate-values', null),
      property('__proto__', 'x'),
      property('mime-type', 'not a type'),
      property('commitment-type-indication', 'proofOfNothing'),
      property('signature-policy-identifier', '1.2.3'),
      property('signer-location', null),
      property('content-hints', ''),
      property('content-identifier', commitment),
      property('content-reference', Buffer.from('3000', 'hex').toString('base64')),
      ...['signer-location', 'signer-attributes-v2'].map((name) =>
        property(name, Buffer.from('3000', 'hex').toString('base64')),
      ),
      property('signature-policy-identifier', Buffer.from('0500', 'hex').toString('base64')),
    ]
    assert.deepEqual(
      unfitProperties(unfit),
      unfit.map(({ name }) => name),
    )
    const twice = [
      property('commitment-type-indication', commitment),
      property('1.2.840.113549.1.9.16.2.16', commitment),
    ]
    assert.deepEqual(unfitProperties(twice), ['1.2.840.113549.1.9.16.2.16'])
    assert.throws(
      () => propertyAttributes(twice, SUBJECT),
      new UnfitSignedPropertiesError(['1.2.840.113549.1.9.16.2.16']),
    )
  })

  it('refuses values with bytes behind them or with two attribute values', () => {
    const value = Buffer.from('300406022a03', 'hex')
    const longer = Buffer.concat([value, Buffer.from([5, 0])]).toString('base64')
    const two = Buffer.concat([value, value])
    for (const sent of [longer, attribute('1.2.840.113549.1.9.16.2.16', two)]) {
      assert.deepEqual(unfitProperties([property('commitment-type-indication', sent)]), [
        'commitment-type-indication',
      ])
    }
  })
})

function property(name: string, value: string | null): SignedProperty {
  return { name, value }
}

/** Attribute, Base64 of its DER; everything here is shorter than 128 octets. */
function attribute(oid: string, values: Buffer): string {
  const type = Buffer.from(new asn1js.ObjectIdentifier({ value: oid }).toBER())
  const set = Buffer.concat([Buffer.from([0x31, values.length]), values])
  const content = Buffer.concat([type, set])
  return Buffer.concat([Buffer.from([0x30, content.length]), content]).toString('base64')
}
