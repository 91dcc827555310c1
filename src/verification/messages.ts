/** The languages reports are written in. The first is used when none of the wanted ones is here. */
export const REPORT_LANGUAGES = ['en', 'de', 'fr', 'es'] as const
export type ReportLanguage = (typeof REPORT_LANGUAGES)[number]

type Sentence = Readonly<Record<ReportLanguage, string>>

/** What reports say, by code. `{}` stands for what it is about. */
export const FINDINGS = {
  'content-changed': {
    en: 'The content is not what was signed.',
    de: 'Der Inhalt ist nicht der, der signiert wurde.',
    fr: 'Le contenu n’est pas celui qui a été signé.',
    es: 'El contenido no es el que se firmó.',
  },
  'content-missing': {
    en: 'What was signed is not here, neither as a file nor by its {} digest.',
    de: 'Was signiert wurde, liegt nicht vor, weder als Datei noch als {}-Hashwert.',
    fr: 'Ce qui a été signé n’est pas fourni, ni comme fichier ni par son empreinte {}.',
    es: 'Falta lo que se firmó: ni el fichero ni su resumen {}.',
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
    en: '{} was not trusted any more at the proven time.',
    de: '{} galt zur bewiesenen Zeit nicht mehr als sicher.',
    fr: '{} n’était plus considéré comme sûr à l’instant prouvé.',
    es: '{} ya no se consideraba seguro en el momento probado.',
  },
  'byte-range-invalid': {
    en: 'The signature is not over the file from its beginning, but for its own value: {}.',
    de: 'Die Signatur gilt nicht der Datei von ihrem Anfang an, den eigenen Wert ausgenommen: {}.',
    fr: 'La signature ne porte pas sur le fichier depuis son début, hormis sa propre valeur : {}.',
    es: 'La firma no abarca el fichero desde su inicio, salvo su propio valor: {}.',
  },
  'revision-unreadable': {
    en: 'What was signed is no whole PDF: {}.',
    de: 'Was signiert wurde, ist kein vollständiges PDF: {}.',
    fr: 'Ce qui a été signé n’est pas un PDF complet : {}.',
    es: 'Lo firmado no es un PDF completo: {}.',
  },
  'subfilter-unknown': {
    en: 'The kind of the signature is not known here: {}.',
    de: 'Die Art der Signatur ist hier unbekannt: {}.',
    fr: 'Le type de la signature est inconnu ici : {}.',
    es: 'El tipo de la firma es desconocido aquí: {}.',
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
    en: 'The signature cannot be read: {}.',
    de: 'Die Signatur ist nicht lesbar: {}.',
    fr: 'La signature est illisible : {}.',
    es: 'La firma no se puede leer: {}.',
  },
  'policy-implied': {
    en: 'The signature is under a policy that it does not name; it was not applied here.',
    de: 'Die Signatur untersteht einer Richtlinie, die sie nicht nennt; sie wurde hier nicht angewandt.',
    fr: 'La signature relève d’une politique qu’elle ne nomme pas ; elle n’a pas été appliquée ici.',
    es: 'La firma sigue una política que no nombra; no se aplicó aquí.',
  },
  'policy-not-applied': {
    en: 'The signature names the policy {}, which was not applied here.',
    de: 'Die Signatur nennt die Richtlinie {}, die hier nicht angewandt wurde.',
    fr: 'La signature désigne la politique {}, qui n’a pas été appliquée ici.',
    es: 'La firma nombra la política {}, que no se aplicó aquí.',
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
    en: 'The signature demands something that is not known here: {}.',
    de: 'Die Signatur verlangt etwas hier Unbekanntes: {}.',
    fr: 'La signature exige quelque chose d’inconnu ici : {}.',
    es: 'La firma exige algo desconocido aquí: {}.',
  },
  'file-not-signed': {
    en: 'The container holds a file that is not signed: {}.',
    de: 'Der Container enthält eine nicht signierte Datei: {}.',
    fr: 'Le conteneur contient un fichier non signé : {}.',
    es: 'El contenedor incluye un fichero sin firmar: {}.',
  },
  'file-missing': {
    en: 'A signed file is not in the container: {}.',
    de: 'Eine signierte Datei fehlt im Container: {}.',
    fr: 'Un fichier signé manque dans le conteneur : {}.',
    es: 'Falta un fichero firmado en el contenedor: {}.',
  },
  'container-malformed': {
    en: 'The container is not as it should be: {}.',
    de: 'Der Container ist nicht, wie er sein soll: {}.',
    fr: 'Le conteneur n’est pas conforme : {}.',
    es: 'El contenedor no es como debe: {}.',
  },
  'format-unknown': {
    en: 'The format of the document is not known here.',
    de: 'Das Format des Dokuments ist hier unbekannt.',
    fr: 'Le format du document est inconnu ici.',
    es: 'El formato del documento es desconocido aquí.',
  },
  'document-unreadable': {
    en: 'The document cannot be read: {}.',
    de: 'Das Dokument ist nicht lesbar: {}.',
    fr: 'Le document est illisible : {}.',
    es: 'El documento no se puede leer: {}.',
  },
  'document-too-hard': {
    en: 'Reading the document took more time or memory than is given to it.',
    de: 'Das Dokument zu lesen kostete mehr Zeit oder Speicher, als dafür da ist.',
    fr: 'La lecture du document a demandé plus de temps ou de mémoire que permis.',
    es: 'Leer el documento costó más tiempo o memoria de lo permitido.',
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
  ...(['added-after-signing', 'look-can-change', 'signature-unreferenced'] as const),
  ...(['file-not-signed', 'too-many-signatures', 'timestamp-not-valid', 'not-ades'] as const),
  ...(['part-signed', 'policy-implied', 'policy-not-applied', 'attribute-certificate'] as const),
])

export function findingText(code: FindingCode, about: string, lang: ReportLanguage): string {
  return FINDINGS[code][lang].replace('{}', () => about)
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
