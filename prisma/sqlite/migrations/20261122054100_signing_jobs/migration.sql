-- CreateTable
CREATE TABLE "SigningJob" (
    "idHash" TEXT NOT NULL PRIMARY KEY,
    "operationId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "rows" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL,
    "expiresAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "SigningJob_operationId_key" ON "SigningJob"("operationId");

-- CreateIndex
CREATE INDEX "SigningJob_expiresAt_idx" ON "SigningJob"("expiresAt");
