-- CreateTable
CREATE TABLE "DepositedDocument" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "sha256" TEXT NOT NULL,
    "sha384" TEXT NOT NULL,
    "sha512" TEXT NOT NULL,
    "label" TEXT NOT NULL,
    "content" BLOB NOT NULL,
    "size" INTEGER NOT NULL,
    "expiresAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE INDEX "DepositedDocument_clientId_sha384_idx" ON "DepositedDocument"("clientId", "sha384");

-- CreateIndex
CREATE INDEX "DepositedDocument_clientId_sha512_idx" ON "DepositedDocument"("clientId", "sha512");

-- CreateIndex
CREATE INDEX "DepositedDocument_expiresAt_idx" ON "DepositedDocument"("expiresAt");

-- CreateIndex
CREATE UNIQUE INDEX "DepositedDocument_clientId_userId_sha256_key" ON "DepositedDocument"("clientId", "userId", "sha256");
