state "postgres" {} # ERROR: Missing required argument: "url" is required
