"""From a prompt to a spec: what is asked, by which examples, and what every answer must look like."""
