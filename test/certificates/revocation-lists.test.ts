import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { EmbeddedAuthority } from '../../src/certificates/embedded/embedded-authority.js'
import type {
  IssuedCertificateStore,
  ListState,
  PublishedList,
  RevocationListStore,
} from '../../src/certificates/issued-certificates.js'
import { REVOCATION_REASONS, type RevocationReason } from '../../src/certificates/revocation.js'
import { RevocationLists } from '../../src/certificates/revocation-lists.js'
import { MemoryAuthorityStore, MemoryCertificateStore } from '../support/authority-store.js'
import { MemoryCustody } from '../support/memory-custody.js'

const DAY_MS = 86_400_000
const NOW = new Date('2026-11-22T10:00:00Z')

/** The list of one issuer, as it would be in a database that several replicas share. */
class SharedLists implements RevocationListStore, Pick<IssuedCertificateStore, 'listRevoked'> {
  readonly issued = new MemoryCertificateStore()
  readonly published: PublishedList[] = []
  wanted = 0

  listRevoked(endsAfter: Date) {
    return this.issued.listRevoked(endsAfter)
  }

  state(): Promise<ListState> {
    const newest = this.published.at(-1)
    return Promise.resolve({
      number: newest?.number ?? 0,
      nextUpdate: newest?.nextUpdate ?? null,
      isOutdated: (newest?.covered ?? 0) !== this.wanted,
      covered: this.wanted,
    })
  }

  load(_: string, number: number): Promise<Buffer | null> {
    const newest = this.published.at(-1)
    return Promise.resolve(newest?.number === number ? newest.bytes : null)
  }

  publish(_: string, list: PublishedList): Promise<boolean> {
    if (list.number !== (this.published.at(-1)?.number ?? 0) + 1) return Promise.resolve(false)
    this.published.push(list)
    return Promise.resolve(true)
  }

  async revoke(serialNumber: string, reason: RevocationReason, notAfter: Date): Promise<void> {
    const facts = { serialNumber, keyId: 'k', profile: 'signer', issuedAt: NOW, notAfter }
    await this.issued.register(facts)
    await this.issued.revoke(serialNumber, { at: NOW, reason })
    this.wanted += 1
  }
}

describe('The list of revoked certificates', () => {
  let authority: EmbeddedAuthority
  let store: SharedLists
  let clock = NOW
  const custody = new MemoryCustody()
  const now = () => clock

  before(async () => {
    authority = await EmbeddedAuthority.open({
      ...{ custody, store: new MemoryAuthorityStore(), issued: new MemoryCertificateStore(), now },
      subject: { organization: 'Example Trust', country: 'DE' },
    })
  })
  beforeEach(() => {
    clock = NOW
    store = new SharedLists()
  })

  const open = (keepsExpired?: boolean) => {
    const { root, issuing } = authority
    return new RevocationLists({
      ...{ store, custody, now, verify: null, authorities: { root, issuing } },
      ...(keepsExpired === undefined ? {} : { keepsExpired }),
    })
  }
  const text = ({ bytes }: { readonly bytes: Buffer }) => {
    const options = ['crl', '-inform', 'DER', '-noout', '-text']
    return spawnSync('openssl', options, { input: bytes, encoding: 'utf8' }).stdout
  }

  it('says why, in the words of RFC 5280, and nothing where nobody said', async () => {
    const reasons = (Object.keys(REVOCATION_REASONS) as RevocationReason[]).filter(
      (name) => name !== 'removeFromCRL', // of delta lists alone
    )
    for (const [index, reason] of reasons.entries()) {
      await store.revoke(`4${index}`.padEnd(32, '1'), reason, new Date(+NOW + DAY_MS))
    }
    const said = text(await open().current('issuing'))
    assert.equal(said.match(/Serial Number:/g)?.length, reasons.length)
    const words = [...said.matchAll(/CRL Reason Code: \n\s+(.*)\n/g)].map(([, word]) => word)
    assert.deepEqual(words.toSorted(), [
      ...['AA Compromise', 'Affiliation Changed', 'CA Compromise', 'Certificate Hold'],
      ...['Cessation Of Operation', 'Key Compromise', 'Privilege Withdrawn', 'Superseded'],
    ])
  })

  it('tells of certificates that ended years ago, and says so (expiredCertsOnCRL)', async () => {
    await store.revoke('41'.repeat(16), 'keyCompromise', new Date(+NOW - 1_000 * DAY_MS))
    const said = text(await open().current('issuing'))
    assert.match(said, new RegExp(`Serial Number: ${'41'.repeat(16)}`))
    assert.match(said, /2\.5\.29\.60: \n\s+\.\.\d{14}Z/)
  })

  it('leaves them out two days after they ended, where the configuration wants that', async () => {
    await store.revoke('41'.repeat(16), 'keyCompromise', new Date(+NOW - 3 * DAY_MS))
    await store.revoke('42'.repeat(16), 'keyCompromise', new Date(+NOW - 1 * DAY_MS))
    const said = text(await open(false).current('issuing'))
    assert.doesNotMatch(said, /Serial Number: 4141/)
    assert.match(said, /Serial Number: 4242/)
    assert.doesNotMatch(said, /2\.5\.29\.60/)
  })

  it('of the root says nothing of expired certificates: it is of authorities that are there', async () => {
    assert.doesNotMatch(text(await open().current('root')), /2\.5\.29\.60/)
  })

  it('has one number for each, on however many replicas', async () => {
    const replicas = Array.from({ length: 5 }, () => open())
    for (let round = 0; round < 4; round += 1) {
      await store.revoke(`5${round}`.padEnd(32, '2'), 'superseded', new Date(+NOW + DAY_MS))
      const lists = await Promise.all(replicas.map((each) => each.current('issuing')))
      for (const list of lists) assert.equal(list.number, round + 1)
    }
    assert.deepEqual(
      store.published.map(({ number }) => number),
      [1, 2, 3, 4],
    )
  })

  it('gives a certificate back that was suspended: it is in the next list no more', async () => {
    const serialNumber = '43'.repeat(16)
    await store.revoke(serialNumber, 'certificateHold', new Date(+NOW + DAY_MS))
    const lists = open()
    assert.match(text(await lists.current('issuing')), /Certificate Hold/)
    const held = store.issued.certificates.get(serialNumber)
    assert.ok(held)
    store.issued.certificates.set(serialNumber, { ...held, revocation: null })
    store.wanted += 1
    assert.match(text(await lists.current('issuing')), /No Revoked Certificates/)
  })

  it('is not given once it is of the future, as the clock was ahead when it was signed', async () => {
    const lists = open()
    clock = new Date(+NOW + DAY_MS)
    const ahead = await lists.current('issuing')
    clock = NOW
    const list = await lists.current('issuing')
    assert.equal(list.number, ahead.number + 1)
    assert.match(text(list), /Last Update: Nov 22 10:00:00 2026 GMT/)
    clock = new Date(+NOW - 30_000)
    assert.equal(await lists.current('issuing'), list, 'clocks of replicas differ a little')
  })

  it('is signed anew after half of its time, and the one before stays good while the token is away', async () => {
    const lists = open()
    const first = await lists.current('issuing')
    clock = new Date(+NOW + 11 * 3_600_000)
    assert.equal((await lists.current('issuing')).number, first.number)
    clock = new Date(+NOW + 13 * 3_600_000)
    const { keyId } = authority.issuing
    const key = custody.keys.get(keyId)
    assert.ok(key)
    custody.keys.delete(keyId)
    assert.equal((await lists.current('issuing')).number, first.number)
    clock = new Date(+NOW + 25 * 3_600_000)
    await assert.rejects(lists.current('issuing'), /There is no such key/)
    custody.keys.set(keyId, key)
    assert.equal((await lists.current('issuing')).number, first.number + 1)
  })
})
