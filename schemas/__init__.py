"""What is said between the parts of Botswain: events, their envelope, and the topics they travel on."""
