import type { SubIndication } from './indications.js'
import { ADVICE } from './advice.js'

/** The languages reports are written in. The first is used when none of the wanted ones is here. */
export const REPORT_LANGUAGES = ['en', 'de', 'fr', 'es'] as const
export type ReportLanguage = (typeof REPORT_LANGUAGES)[number]

export type Sentence = Readonly<Record<ReportLanguage, string>>

/** What reports say, by code. `{}` stands for what it is about. */
export const FINDINGS = {
  'content-changed': {
    en: 'The content is not what was signed.',
    de: 'Der Inhalt ist nicht der, der signiert wurde.',
    fr: 'Le contenu n’est pas celui qui a été signé.',
    es: 'El contenido no es el que se firmó.',
  },
  'content-missing': {
    en: 'What was signed is not here ({}). Hand in the file itself, or its digest.',
    de: 'Was signiert wurde, liegt nicht vor ({}). Reichen Sie die Datei selbst ein oder ihren Hashwert.',
    fr: 'Ce qui a été signé n’est pas fourni ({}). Fournissez le fichier lui-même ou son empreinte.',
    es: 'Falta lo que se firmó ({}). Aporte el fichero mismo o su resumen.',
  },
  'digest-not-enough': {
    en: 'This signature can only be checked with the content itself, not with its digest.',
    de: 'Diese Signatur lässt sich nur mit dem Inhalt selbst prüfen, nicht mit seinem Hashwert.',
    fr: 'Cette signature ne peut être vérifiée qu’avec le contenu lui-même, pas avec son empreinte.',
    es: 'Esta firma solo puede comprobarse con el contenido mismo, no con su resumen.',
  },
  'signature-broken': {
    en: 'The signature was not made with the key of this certificate, or was changed.',
    de: 'Die Signatur wurde nicht mit dem Schlüssel dieses Zertifikats erzeugt oder verändert.',
    fr: 'La signature n’a pas été faite avec la clé de ce certificat, ou a été modifiée.',
    es: 'La firma no se hizo con la clave de este certificado, o fue modificada.',
  },
  'unknown-algorithm': {
    en: 'The signature uses an algorithm that is not known here.',
    de: 'Die Signatur verwendet ein hier unbekanntes Verfahren.',
    fr: 'La signature utilise un algorithme inconnu ici.',
    es: 'La firma usa un algoritmo desconocido aquí.',
  },
  'attributes-missing': {
    en: 'The signature lacks attributes it must have, or has them twice.',
    de: 'Der Signatur fehlen vorgeschriebene Attribute, oder sie hat sie doppelt.',
    fr: 'Des attributs obligatoires manquent à la signature, ou y figurent deux fois.',
    es: 'A la firma le faltan atributos obligatorios, o los tiene repetidos.',
  },
  'algorithm-unprotected': {
    en: 'The signature says that it was made with another algorithm.',
    de: 'Die Signatur sagt, sie sei mit einem anderen Verfahren erzeugt worden.',
    fr: 'La signature dit avoir été faite avec un autre algorithme.',
    es: 'La firma dice que se hizo con otro algoritmo.',
  },
  'no-signed-attributes': {
    en: 'The signature has no signed attributes; it does not say when it was made, nor with which certificate.',
    de: 'Die Signatur hat keine signierten Attribute; sie sagt weder, wann noch mit welchem Zertifikat sie entstand.',
    fr: 'La signature n’a pas d’attributs signés ; elle ne dit ni quand ni avec quel certificat elle a été faite.',
    es: 'La firma no tiene atributos firmados; no dice cuándo ni con qué certificado se hizo.',
  },
  'other-certificate-named': {
    en: 'The signature names another certificate than that of {}.',
    de: 'Die Signatur nennt ein anderes Zertifikat als das von {}.',
    fr: 'La signature désigne un autre certificat que celui de {}.',
    es: 'La firma nombra otro certificado que el de {}.',
  },
  'certificate-not-named': {
    en: 'The timestamp does not name the certificate of {}.',
    de: 'Der Zeitstempel nennt das Zertifikat von {} nicht.',
    fr: 'L’horodatage ne désigne pas le certificat de {}.',
    es: 'El sello de tiempo no nombra el certificado de {}.',
  },
  'signer-missing': {
    en: 'The certificate of the signer is not here.',
    de: 'Das Zertifikat des Unterzeichners liegt nicht vor.',
    fr: 'Le certificat du signataire n’est pas fourni.',
    es: 'Falta el certificado del firmante.',
  },
  'not-ades': {
    en: 'This is no advanced electronic signature format, but plain {}: nothing ties the certificate to it.',
    de: 'Dies ist kein Format für fortgeschrittene Signaturen, sondern schlichtes {}: Das Zertifikat ist nicht daran gebunden.',
    fr: 'Ce n’est pas un format de signature avancée, mais du {} simple : rien n’y lie le certificat.',
    es: 'No es un formato de firma avanzada, sino {} simple: nada lo vincula al certificado.',
  },
  'no-proof-of-time': {
    en: 'No timestamp proves when the signature was made; it is judged as of now.',
    de: 'Kein Zeitstempel beweist, wann die Signatur entstand; sie wird nach heutigem Stand beurteilt.',
    fr: 'Aucun horodatage ne prouve quand la signature a été faite ; elle est jugée à ce jour.',
    es: 'Ningún sello de tiempo prueba cuándo se hizo la firma; se juzga a día de hoy.',
  },
  'timestamp-not-valid': {
    en: 'A timestamp ({}) could not be validated and proves nothing.',
    de: 'Ein Zeitstempel ({}) ließ sich nicht prüfen und beweist nichts.',
    fr: 'Un horodatage ({}) n’a pas pu être validé et ne prouve rien.',
    es: 'Un sello de tiempo ({}) no pudo validarse y no prueba nada.',
  },
  'timestamp-broken': {
    en: 'A timestamp ({}) is broken: it, or what it protects, was changed. The rest is not believed either.',
    de: 'Ein Zeitstempel ({}) ist gebrochen: Er oder das, was er schützt, wurde verändert. Auch dem Rest wird nicht geglaubt.',
    fr: 'Un horodatage ({}) est brisé : lui-même ou ce qu’il protège a été modifié. Le reste n’est pas cru non plus.',
    es: 'Un sello de tiempo ({}) está roto: se cambió él mismo o lo que protege. Tampoco se cree el resto.',
  },
  'timestamp-other-content': {
    en: 'The timestamp is over something else.',
    de: 'Der Zeitstempel gilt etwas anderem.',
    fr: 'L’horodatage porte sur autre chose.',
    es: 'El sello de tiempo es de otra cosa.',
  },
  'timestamp-unreadable': {
    en: 'The timestamp cannot be read.',
    de: 'Der Zeitstempel ist nicht lesbar.',
    fr: 'L’horodatage est illisible.',
    es: 'El sello de tiempo no se puede leer.',
  },
  'timestamp-order': {
    en: 'The timestamps contradict each other: what came later is older.',
    de: 'Die Zeitstempel widersprechen sich: Späteres ist älter.',
    fr: 'Les horodatages se contredisent : ce qui vient après est plus ancien.',
    es: 'Los sellos de tiempo se contradicen: lo posterior es más antiguo.',
  },
  'from-the-future': {
    en: 'The timestamp is from the future: {}.',
    de: 'Der Zeitstempel liegt in der Zukunft: {}.',
    fr: 'L’horodatage est dans le futur : {}.',
    es: 'El sello de tiempo es del futuro: {}.',
  },
  'authority-out-of-time': {
    en: 'The certificate of the timestamping authority was not valid when the timestamp was made.',
    de: 'Das Zertifikat der Zeitstempelstelle war nicht gültig, als der Zeitstempel entstand.',
    fr: 'Le certificat de l’autorité d’horodatage n’était pas valide au moment de l’horodatage.',
    es: 'El certificado de la autoridad de sellado no era válido cuando se hizo el sello.',
  },
  'hash-index-missing': {
    en: 'The archive timestamp lacks the index of what it protects.',
    de: 'Dem Archivzeitstempel fehlt das Verzeichnis dessen, was er schützt.',
    fr: 'L’index de ce qu’il protège manque à l’horodatage d’archivage.',
    es: 'Al sello de archivo le falta el índice de lo que protege.',
  },
  'archive-incomplete': {
    en: 'Something that the archive timestamp protects was removed or changed.',
    de: 'Etwas, das der Archivzeitstempel schützt, wurde entfernt oder verändert.',
    fr: 'Un élément protégé par l’horodatage d’archivage a été retiré ou modifié.',
    es: 'Se quitó o cambió algo que el sello de archivo protege.',
  },
  'no-chain': {
    en: 'No chain leads from the certificate to a trusted authority; the last issuer is {}.',
    de: 'Vom Zertifikat führt keine Kette zu einer vertrauten Stelle; letzter Aussteller ist {}.',
    fr: 'Aucune chaîne ne mène du certificat à une autorité de confiance ; le dernier émetteur est {}.',
    es: 'Ninguna cadena lleva del certificado a una autoridad de confianza; el último emisor es {}.',
  },
  'not-yet-valid': {
    en: 'The certificate of {} was not valid yet.',
    de: 'Das Zertifikat von {} war noch nicht gültig.',
    fr: 'Le certificat de {} n’était pas encore valide.',
    es: 'El certificado de {} aún no era válido.',
  },
  expired: {
    en: 'The certificate of {} has expired, and nothing proves that it was used before.',
    de: 'Das Zertifikat von {} ist abgelaufen, und nichts beweist, dass es vorher verwendet wurde.',
    fr: 'Le certificat de {} a expiré, et rien ne prouve qu’il a été utilisé avant.',
    es: 'El certificado de {} ha caducado, y nada prueba que se usara antes.',
  },
  revoked: {
    en: 'The certificate of {} was revoked, and nothing proves that it was used before.',
    de: 'Das Zertifikat von {} wurde widerrufen, und nichts beweist, dass es vorher verwendet wurde.',
    fr: 'Le certificat de {} a été révoqué, et rien ne prouve qu’il a été utilisé avant.',
    es: 'El certificado de {} fue revocado, y nada prueba que se usara antes.',
  },
  suspended: {
    en: 'The certificate of {} is suspended: what becomes of it is not known yet.',
    de: 'Das Zertifikat von {} ist ausgesetzt: Was daraus wird, steht noch nicht fest.',
    fr: 'Le certificat de {} est suspendu : son sort n’est pas encore connu.',
    es: 'El certificado de {} está suspendido: aún no se sabe qué será de él.',
  },
  'revocation-unknown': {
    en: 'It is not known whether the certificate of {} was revoked.',
    de: 'Es ist nicht bekannt, ob das Zertifikat von {} widerrufen wurde.',
    fr: 'On ignore si le certificat de {} a été révoqué.',
    es: 'No se sabe si el certificado de {} fue revocado.',
  },
  'not-a-ca': {
    en: '{} issued a certificate but is no certification authority.',
    de: '{} hat ein Zertifikat ausgestellt, ist aber keine Zertifizierungsstelle.',
    fr: '{} a émis un certificat sans être une autorité de certification.',
    es: '{} emitió un certificado sin ser autoridad de certificación.',
  },
  'path-too-long': {
    en: 'More authorities stand below {} than it allows.',
    de: 'Unter {} stehen mehr Stellen, als es erlaubt.',
    fr: 'Plus d’autorités se trouvent sous {} qu’il ne le permet.',
    es: 'Hay más autoridades bajo {} de las que permite.',
  },
  'key-usage': {
    en: 'The certificate of {} is not for this purpose.',
    de: 'Das Zertifikat von {} ist nicht für diesen Zweck.',
    fr: 'Le certificat de {} n’est pas destiné à cet usage.',
    es: 'El certificado de {} no es para este uso.',
  },
  'critical-extension': {
    en: 'A certificate has a critical extension that is not known here: {}.',
    de: 'Ein Zertifikat hat eine hier unbekannte kritische Erweiterung: {}.',
    fr: 'Un certificat a une extension critique inconnue ici : {}.',
    es: 'Un certificado tiene una extensión crítica desconocida aquí: {}.',
  },
  constraints: {
    en: 'The chain breaks constraints on names or policies: {}.',
    de: 'Die Kette verletzt Beschränkungen von Namen oder Richtlinien: {}.',
    fr: 'La chaîne viole des contraintes de noms ou de politiques : {}.',
    es: 'La cadena viola restricciones de nombres o políticas: {}.',
  },
  'weak-certificate': {
    en: 'A certificate was signed in a way that is no longer trusted: {}.',
    de: 'Ein Zertifikat wurde auf nicht mehr vertrauenswürdige Weise signiert: {}.',
    fr: 'Un certificat a été signé d’une façon qui n’est plus fiable : {}.',
    es: 'Un certificado se firmó de un modo que ya no es fiable: {}.',
  },
  'weak-algorithm': {
    en: '{} is not trusted as of the time for which the signature is judged.',
    de: '{} gilt zu der Zeit, für die die Signatur beurteilt wird, nicht als sicher.',
    fr: '{} n’est pas considéré comme sûr à l’instant pour lequel la signature est jugée.',
    es: '{} no se considera seguro en el momento para el que se juzga la firma.',
  },
  'byte-range-invalid': {
    en: 'The signature leaves out parts of the file beyond its own value, or is not all there (ByteRange {}): anybody could change what stands there.',
    de: 'Die Signatur lässt mehr von der Datei aus als ihren eigenen Wert, oder sie ist nicht vollständig (ByteRange {}): Was dort steht, könnte jeder ändern.',
    fr: 'La signature omet du fichier plus que sa propre valeur, ou n’est pas complète (ByteRange {}) : n’importe qui pourrait modifier ce qui s’y trouve.',
    es: 'La firma deja fuera del fichero más que su propio valor, o no está completa (ByteRange {}): cualquiera podría cambiar lo que hay allí.',
  },
  'revision-unreadable': {
    en: 'What was signed is no whole PDF (the first {} bytes): the file is damaged, or was put together from pieces.',
    de: 'Was signiert wurde, ist kein vollständiges PDF (die ersten {} Bytes): Die Datei ist beschädigt oder aus Stücken zusammengesetzt.',
    fr: 'Ce qui a été signé n’est pas un PDF complet (les {} premiers octets) : le fichier est endommagé ou composé de morceaux.',
    es: 'Lo firmado no es un PDF completo (los primeros {} bytes): el fichero está dañado o compuesto de trozos.',
  },
  'subfilter-unknown': {
    en: 'The signature in the PDF is of a kind that is not known here (SubFilter {}).',
    de: 'Die Signatur im PDF ist von einer hier unbekannten Art (SubFilter {}).',
    fr: 'La signature du PDF est d’un type inconnu ici (SubFilter {}).',
    es: 'La firma del PDF es de un tipo desconocido aquí (SubFilter {}).',
  },
  'changed-after-signing': {
    en: 'The document was changed after signing, in a way the signature does not allow: {}.',
    de: 'Das Dokument wurde nach dem Signieren auf eine Weise geändert, die die Signatur nicht erlaubt: {}.',
    fr: 'Le document a été modifié après la signature, d’une façon qu’elle ne permet pas : {}.',
    es: 'El documento se cambió tras la firma de un modo que esta no permite: {}.',
  },
  'added-after-signing': {
    en: 'Something was added after signing that the signature allows: {}.',
    de: 'Nach dem Signieren wurde etwas hinzugefügt, das die Signatur erlaubt: {}.',
    fr: 'Un ajout permis par la signature a été fait après elle : {}.',
    es: 'Tras la firma se añadió algo que esta permite: {}.',
  },
  'look-can-change': {
    en: 'The look of the document can change by itself: {}.',
    de: 'Das Aussehen des Dokuments kann sich von selbst ändern: {}.',
    fr: 'L’aspect du document peut changer de lui-même : {}.',
    es: 'El aspecto del documento puede cambiar por sí solo: {}.',
  },
  'key-repeated': {
    en: 'Programs may show the document differently: something in it is said twice, in two ways ({}).',
    de: 'Programme können das Dokument verschieden zeigen: etwas darin ist zweimal gesagt, auf zweierlei Weise ({}).',
    fr: 'Des programmes peuvent montrer le document différemment : quelque chose y est dit deux fois, de deux façons ({}).',
    es: 'Los programas pueden mostrar el documento de forma distinta: algo en él se dice dos veces, de dos modos ({}).',
  },
  'signature-unreferenced': {
    en: 'The file holds something like a signature that belongs to no field.',
    de: 'Die Datei enthält etwas wie eine Signatur, das zu keinem Feld gehört.',
    fr: 'Le fichier contient une sorte de signature qui n’appartient à aucun champ.',
    es: 'El fichero contiene algo como una firma que no pertenece a ningún campo.',
  },
  'field-empty': {
    en: 'The field {} is not signed yet.',
    de: 'Das Feld {} ist noch nicht signiert.',
    fr: 'Le champ {} n’est pas encore signé.',
    es: 'El campo {} aún no está firmado.',
  },
  'signature-unreadable': {
    en: 'The signature cannot be read ({}): it is damaged, or not made as its format demands.',
    de: 'Die Signatur ist nicht lesbar ({}): Sie ist beschädigt oder nicht gemacht, wie ihr Format es verlangt.',
    fr: 'La signature est illisible ({}) : elle est endommagée ou n’est pas faite comme son format l’exige.',
    es: 'La firma no se puede leer ({}): está dañada o no está hecha como exige su formato.',
  },
  'policy-implied': {
    en: 'The signature is under a policy that it does not name; it was not applied here.',
    de: 'Die Signatur untersteht einer Richtlinie, die sie nicht nennt; sie wurde hier nicht angewandt.',
    fr: 'La signature relève d’une politique qu’elle ne nomme pas ; elle n’a pas été appliquée ici.',
    es: 'La firma sigue una política que no nombra; no se aplicó aquí.',
  },
  'policy-known': {
    en: 'The signature was made under the policy {}; its text is known here, and the one that was meant. Read there what it demands: programs cannot check that.',
    de: 'Die Signatur wurde unter der Richtlinie {} erstellt; deren Text ist hier bekannt und der gemeinte. Lesen Sie dort, was sie verlangt: Das kann kein Programm prüfen.',
    fr: 'La signature a été faite selon la politique {} ; son texte est connu ici et c’est bien celui qui était visé. Lisez-y ce qu’elle exige : aucun programme ne peut le vérifier.',
    es: 'La firma se hizo bajo la política {}; su texto se conoce aquí y es el que se quiso decir. Lea allí lo que exige: ningún programa puede comprobarlo.',
  },
  'policy-unknown': {
    en: 'The signature was made under the policy {}, whose text is not known here.',
    de: 'Die Signatur wurde unter der Richtlinie {} erstellt, deren Text hier nicht bekannt ist.',
    fr: 'La signature a été faite selon la politique {}, dont le texte n’est pas connu ici.',
    es: 'La firma se hizo bajo la política {}, cuyo texto no se conoce aquí.',
  },
  'policy-other-text': {
    en: 'The text of the policy {} that is at hand is not the one the signature means.',
    de: 'Der vorliegende Text der Richtlinie {} ist nicht der, den die Signatur meint.',
    fr: 'Le texte disponible de la politique {} n’est pas celui que vise la signature.',
    es: 'El texto disponible de la política {} no es el que la firma quiere decir.',
  },
  'policy-unreadable': {
    en: 'The policy that the signature names cannot be read.',
    de: 'Die Richtlinie, die die Signatur nennt, ist nicht lesbar.',
    fr: 'La politique que désigne la signature est illisible.',
    es: 'La política que nombra la firma no se puede leer.',
  },
  'attribute-certificate': {
    en: 'The signature brings attribute certificates along, which are not judged here.',
    de: 'Die Signatur bringt Attributzertifikate mit, die hier nicht beurteilt werden.',
    fr: 'La signature comporte des certificats d’attributs, qui ne sont pas jugés ici.',
    es: 'La firma trae certificados de atributos, que aquí no se juzgan.',
  },
  'other-signature-covered': {
    en: 'The counter-signature is not over the signature in which it stands.',
    de: 'Die Gegensignatur gilt nicht der Signatur, in der sie steht.',
    fr: 'La contre-signature ne porte pas sur la signature qui la contient.',
    es: 'La contrafirma no es de la firma que la contiene.',
  },
  'header-not-understood': {
    en: 'The signature demands that something be understood that is not known here, or that is not there ({}).',
    de: 'Die Signatur verlangt, etwas zu verstehen, das hier unbekannt ist oder nicht dasteht ({}).',
    fr: 'La signature exige de comprendre quelque chose d’inconnu ici, ou qui manque ({}).',
    es: 'La firma exige entender algo desconocido aquí, o que falta ({}).',
  },
  'content-not-signed': {
    en: 'What was handed in with the document is signed by nothing in it: {}.',
    de: 'Was mit dem Dokument eingereicht wurde, ist von nichts darin signiert: {}.',
    fr: 'Ce qui a été fourni avec le document n’y est signé par rien : {}.',
    es: 'Lo que se aportó con el documento no lo firma nada en él: {}.',
  },
  'file-not-signed': {
    en: 'The container holds a file that is not signed: {}.',
    de: 'Der Container enthält eine nicht signierte Datei: {}.',
    fr: 'Le conteneur contient un fichier non signé : {}.',
    es: 'El contenedor incluye un fichero sin firmar: {}.',
  },
  'manifest-missing': {
    en: 'No manifest of the container says which files the signature is over, or more than one does.',
    de: 'Kein Manifest des Containers sagt, welchen Dateien die Signatur gilt, oder mehr als eines.',
    fr: 'Aucun manifeste du conteneur ne dit sur quels fichiers porte la signature, ou plusieurs le disent.',
    es: 'Ningún manifiesto del contenedor dice qué ficheros abarca la firma, o lo dice más de uno.',
  },
  'file-missing': {
    en: 'A signed file is not in the container: {}.',
    de: 'Eine signierte Datei fehlt im Container: {}.',
    fr: 'Un fichier signé manque dans le conteneur : {}.',
    es: 'Falta un fichero firmado en el contenedor: {}.',
  },
  'container-malformed': {
    en: 'The container is not made as ASiC demands ({}); other programs may refuse it.',
    de: 'Der Container ist nicht gemacht, wie ASiC es verlangt ({}); andere Programme lehnen ihn vielleicht ab.',
    fr: 'Le conteneur n’est pas fait comme ASiC l’exige ({}) ; d’autres programmes peuvent le refuser.',
    es: 'El contenedor no está hecho como exige ASiC ({}); otros programas pueden rechazarlo.',
  },
  'format-unknown': {
    en: 'This is no kind of signed document that is known here: PDF, CMS, XML, JSON, ASiC or timestamp.',
    de: 'Dies ist keine hier bekannte Art eines signierten Dokuments: PDF, CMS, XML, JSON, ASiC oder Zeitstempel.',
    fr: 'Ce n’est pas un type de document signé connu ici : PDF, CMS, XML, JSON, ASiC ou horodatage.',
    es: 'No es un tipo de documento firmado conocido aquí: PDF, CMS, XML, JSON, ASiC o sello de tiempo.',
  },
  'document-unreadable': {
    en: 'The document cannot be read ({}). It is damaged, incomplete, or not what it seems: get it again from where it came.',
    de: 'Das Dokument ist nicht lesbar ({}). Es ist beschädigt, unvollständig oder nicht, was es scheint: Holen Sie es noch einmal dort, wo es herkam.',
    fr: 'Le document est illisible ({}). Il est endommagé, incomplet ou n’est pas ce qu’il paraît : redemandez-le à sa source.',
    es: 'El documento no se puede leer ({}). Está dañado, incompleto o no es lo que parece: pídalo de nuevo a su origen.',
  },
  'document-too-hard': {
    en: 'Reading the document took more time or memory than is given to it here. Try a smaller one, or ask the operator of this service.',
    de: 'Das Dokument zu lesen kostete mehr Zeit oder Speicher, als hier dafür da ist. Versuchen Sie ein kleineres, oder fragen Sie den Betreiber dieses Dienstes.',
    fr: 'La lecture du document a demandé plus de temps ou de mémoire que permis ici. Essayez-en un plus petit, ou demandez à l’exploitant de ce service.',
    es: 'Leer el documento costó más tiempo o memoria de lo permitido aquí. Pruebe con uno más pequeño o pregunte al operador de este servicio.',
  },
  'nothing-signed': {
    en: 'Nothing in the document is signed.',
    de: 'Nichts in dem Dokument ist signiert.',
    fr: 'Rien n’est signé dans le document.',
    es: 'Nada en el documento está firmado.',
  },
  'part-signed': {
    en: 'Only a part of the document is signed: {}.',
    de: 'Nur ein Teil des Dokuments ist signiert: {}.',
    fr: 'Seule une partie du document est signée : {}.',
    es: 'Solo está firmada una parte del documento: {}.',
  },
  'too-many-signatures': {
    en: 'The document has more signatures than are looked at: {}.',
    de: 'Das Dokument hat mehr Signaturen, als betrachtet werden: {}.',
    fr: 'Le document a plus de signatures qu’il n’en est examiné : {}.',
    es: 'El documento tiene más firmas de las que se examinan: {}.',
  },
} as const satisfies Readonly<Record<string, Sentence>>

export type FindingCode = keyof typeof FINDINGS

/** Remarks that people should not overlook, though they change nothing. */
export const WARNINGS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  ...(['added-after-signing', 'look-can-change', 'key-repeated'] as const),
  ...(['signature-unreferenced'] as const),
  ...(['file-not-signed', 'timestamp-not-valid', 'not-ades'] as const),
  ...(['part-signed', 'policy-implied', 'policy-unknown', 'attribute-certificate'] as const),
])

/** A sentence; brackets and colons that would hold nothing are left out. */
export function findingText(code: FindingCode, about: string, lang: ReportLanguage): string {
  const sentence: string = FINDINGS[code][lang]
  return about === ''
    ? sentence.replace(/ \(\w* ?\{\}\)|\s?: \{\}/, '').replace('{}', '?')
    : sentence.replace('{}', () => (KINDS.has(code) ? kindText(about, lang) : about))
}

/** Those that name a kind first. */
const KINDS: ReadonlySet<FindingCode> = new Set<FindingCode>([
  ...(['timestamp-not-valid', 'timestamp-broken', 'look-can-change'] as const),
  ...(['changed-after-signing', 'added-after-signing'] as const),
])

/** A kind in the language of the report, and what stands behind it. */
function kindText(about: string, lang: ReportLanguage): string {
  const [word = '', ...rest] = about.split(', ')
  const behind = rest.map((each) => (each === NO_REVISION ? NO_REVISION_NAMES[lang] : each))
  return [KIND_NAMES[word]?.[lang] ?? word, ...behind].join(', ')
}

/** How a change is called that is no revision of the file. */
export const NO_REVISION = '%%EOF'
const NO_REVISION_NAMES: Sentence = {
  en: 'bytes at the end that belong to nothing',
  de: 'Bytes am Ende, die zu nichts gehören',
  fr: 'des octets à la fin qui n’appartiennent à rien',
  es: 'bytes al final que no pertenecen a nada',
}

const KIND_NAMES: Readonly<Partial<Record<string, Sentence>>> = {
  ...{
    content: { en: 'of the content', de: 'des Inhalts', fr: 'du contenu', es: 'del contenido' },
    signature: {
      ...{ en: 'signature', de: 'Signatur', fr: 'signature', es: 'firma' },
    },
    archive: { en: 'for the archive', de: 'zur Archivierung', fr: 'd’archivage', es: 'de archivo' },
    document: {
      en: 'of the document',
      de: 'des Dokuments',
      fr: 'du document',
      es: 'del documento',
    },
  },
  form: {
    ...{ en: 'form filled in', de: 'Formular ausgefüllt', fr: 'formulaire rempli' },
    es: 'formulario rellenado',
  },
  annotation: { en: 'annotation', de: 'Anmerkung', fr: 'annotation', es: 'anotación' },
  metadata: { en: 'metadata', de: 'Metadaten', fr: 'métadonnées', es: 'metadatos' },
  other: { en: 'content', de: 'Inhalt', fr: 'contenu', es: 'contenido' },
  javascript: { en: 'scripts', de: 'Skripte', fr: 'scripts', es: 'scripts' },
  layers: { en: 'layers', de: 'Ebenen', fr: 'calques', es: 'capas' },
  'dynamic-form': {
    ...{ en: 'a dynamic form', de: 'ein dynamisches Formular', fr: 'un formulaire dynamique' },
    es: 'un formulario dinámico',
  },
  'external-content': {
    ...{ en: 'content from elsewhere', de: 'Inhalt von anderswo', fr: 'contenu externe' },
    es: 'contenido externo',
  },
  unexamined: {
    ...{ en: 'parts that could not be examined', de: 'nicht untersuchte Teile' },
    ...{ fr: 'parties non examinées', es: 'partes no examinadas' },
  },
}

/** What somebody changed, whatever it is called. */
const CHANGES: ReadonlySet<FindingCode> = new Set<FindingCode>([
  ...(['timestamp-broken', 'changed-after-signing', 'content-changed'] as const),
])

/** What to do about a signature that did not pass. */
export function adviceOn({ subIndication, findings }: Judged, lang: ReportLanguage): string | null {
  if (subIndication === null) return null
  const isChanged = findings.some(
    (each) => each.subIndication === subIndication && CHANGES.has(each.code),
  )
  return ADVICE[isChanged ? 'HASH_FAILURE' : subIndication][lang]
}

interface Judged {
  readonly subIndication: SubIndication | null
  readonly findings: readonly {
    readonly code: FindingCode
    readonly subIndication: SubIndication | null
  }[]
}

/** The best language of reports for RFC 5646 tags, the most wanted first. */
export function chooseReportLanguage(preferences: string): ReportLanguage {
  const wanted = preferences
    .slice(0, 1000)
    .split(',')
    .map((range) => range.split(';')[0]?.trim().slice(0, 2).toLowerCase())
  const found = wanted.flatMap((tag) => REPORT_LANGUAGES.find((known) => known === tag) ?? [])
  return found[0] ?? REPORT_LANGUAGES[0]
}
