#!/bin/bash
# A member is ready when it takes part in the replica set: only then may the next one be stopped.
exec mongosh --quiet "mongodb://localhost:27017/?directConnection=true${MONGODB_OPTIONS:-}" \
  --eval 'const { secondary, isWritablePrimary } = db.hello(); quit(secondary || isWritablePrimary ? 0 : 1)'
